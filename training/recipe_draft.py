"""A recipe drafted from exports, with comments that say what was seen and what to check."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from features.errors import RecipeError
from features.expressions import quoted
from features.tables import SOURCE_TABLES
from training.recipe_expressions import read
from training.recipe_guess import LINKS, Guess, guessed

CHINESE = "\u4e00", "\u9fff"
OPTIONAL = {
    "order_lines": ("source_line_id", "channel", "channel_customer_id", "location_id", "unit", "net_amount",
                    "discount_amount", "fulfilment", "status", "currency", "external_order_id", "returns_order_id"),
    "catalog": ("name", "brand", "unit", "pack_size", "shelf_life_days"),
    "stock": ("location_id", "on_order_units"),
    "plans": ("location_id", "display", "promotion", "planned_price"),
    "locations": ("name", "region"),
    "product_units": (), "exchange_rates": (), "identity_links": (),
}  # fmt: skip
REQUIRED = {
    "order_lines": ("order_id", "product_id", "quantity", "ordered_at"), "catalog": ("product_id",),
    "stock": ("product_id", "day", "closing_units"), "plans": ("product_id", "starts_on", "ends_on"),
    "locations": ("location_id",), "product_units": ("product_id", "unit", "times"),
    "exchange_rates": ("currency", "day", "rate"), "identity_links": ("channel_customer_id",),
}  # fmt: skip
MOST_VALUES = 12  # of a column that is listed value by value


def drafted(files: Iterable[Path], folder: Path) -> str:
    """The text of a recipe for these exports, its paths relative to `folder`.

    Raises RecipeError when no file looks like order lines, saying what was seen.
    """
    guesses = [guessed(path) for path in files]
    lines = [guess for guess in guesses if guess.table == "order_lines"]
    if not lines:
        seen = "; ".join(f"{guess.file.path.name}: {', '.join(guess.file.columns[:12])}" for guess in guesses)
        raise RecipeError(
            "none of the files looks like order lines (an order or customer, a product, a quantity or amount): "
            f"write the recipe by hand, from docs/recipes.md; seen were {seen}"
        )
    return "\n".join(_recipe(guesses, lines, folder)) + "\n"


def _recipe(guesses: list[Guess], lines: list[Guess], folder: Path) -> Iterator[str]:
    yield "# Drafted by `onebasket recipe new` from what the exports look like. Check every line that says CHECK,"
    yield "# then: onebasket recipe check --recipe THIS_FILE"
    yield from ("", "[retailer]", f'name = "{_safe(folder.name)}"')
    chinese = any(_is_chinese(column) for guess in guesses for column in guess.file.columns)
    yield f'time_zone = "{"Asia/Shanghai" if chinese else "UTC"}"   # CHECK: the zone of the shops decides the day of a sale'
    yield f'currency = "{"CNY" if chinese else ""}"   # CHECK: ISO 4217 code of the amounts'
    yield ('' if chinese else "# ") + 'country = "CN"   # CHECK: for public holidays' if chinese \
        else '# country = "DE"   # for public holidays'  # fmt: skip
    yield from ("", "[identity]")
    many = len(lines) > 1
    yield f'account_numbers = "{"per-channel" if many else "shared"}"   # CHECK: ' + (
        "does one number mean the same person in every export? then \"shared\"" if many else "one export, one numbering"
    )  # fmt: skip
    names: set[str] = set()
    headers = [guess for guess in guesses if guess.table == "headers"]
    for guess in guesses:
        if guess.table is None:
            yield from ("", f"# {guess.file.path.name} was not recognised: {', '.join(guess.file.columns[:12])}")
        elif guess.table != "headers":
            name = guess.name
            while name in names:
                name += "_"
            names.add(name)
            yield from _source(name, guess, headers, folder)
    if not any(guess.table == "catalog" for guess in guesses):
        yield from _catalog_of_lines(lines, folder)


def _catalog_of_lines(lines: list[Guess], folder: Path) -> Iterator[str]:
    """Names and categories that stand in the order lines: a catalog from the same file."""
    for guess in lines:
        if guess.column("name") and guess.column("product_id"):
            yield from _source(f"{guess.name}_products", replace(guess, table="catalog"), [], folder)
            return


def _source(name: str, guess: Guess, headers: list[Guess], folder: Path) -> Iterator[str]:
    assert guess.table is not None
    mapping, notes = _mapping(guess, headers)
    missing = [column.name for column in SOURCE_TABLES[guess.table].columns
               if column.required and column.name not in {*mapping, "source"}]  # fmt: skip
    mark = "# " if missing else ""
    yield from ("", f"# {guess.file.path.name}: {len(guess.file.rows):,} rows looked at")
    if missing:
        yield f"# It looks like {guess.table}, but nothing was found for {', '.join(missing)}: map that, and take the # away."
    head = [f"[sources.{_bare(name)}]", f'table = "{guess.table}"', *_format(guess, folder)]
    for header in _joined(guess, headers):
        ours, theirs = guess.column("order_id"), header.column("order_id")
        head += [
            "",
            f"[[sources.{_bare(name)}.join]]",
            *_format(header, folder),
            f"on = {{ {_text(str(ours))} = {_text(str(theirs))} }}",
        ]
    head += ["", f"[sources.{_bare(name)}.columns]"]
    for column, expression in mapping.items():
        head += [*(f"# {note}" for note in notes.get(column, [])), f"{column} = {_text(expression)}"]
    yield from (mark + line if line else line for line in head)
    unused = [] if guess.table == "catalog" and "order_id" in guess.roles else [column for column in guess.file.columns
              if not any(column in text for text in mapping.values())]  # fmt: skip
    if unused:
        yield f"# not used: {', '.join(_seen(column, guess) for column in unused[:20])}"
    yield from (mark + line for line in _values(name, guess, mapping))


def _format(guess: Guess, folder: Path) -> list[str]:
    path = guess.file.path.resolve()
    shown = path.relative_to(folder.resolve()) if path.is_relative_to(folder.resolve()) else path
    found = [f"path = {_text(shown.as_posix())}"]
    if guess.file.format == "csv":
        found += [f"delimiter = {_text(guess.file.delimiter)}"] if guess.file.delimiter != "," else []
        found += [f"encoding = {_text(guess.file.encoding)}"] if guess.file.encoding != "utf-8" else []
    if guess.file.sheet is not None:
        found.append(f"sheet = {_text(guess.file.sheet)}")
    return found


def _joined(guess: Guess, headers: list[Guess]) -> list[Guess]:
    return [header for header in headers if guess.table == "order_lines" and guess.column("order_id")
            and header.column("order_id")]  # fmt: skip


def _mapping(guess: Guess, headers: list[Guess]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Column of the table = expression, and the comments above each."""
    assert guess.table is not None
    table = SOURCE_TABLES[guess.table]
    mapping: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for column in table.columns:
        if column.name not in {*REQUIRED[guess.table], *OPTIONAL[guess.table]}:
            continue
        for place in (guess, *_joined(guess, headers)):
            found = place.column("ordered_at" if column.name == "day" and not place.column("day") else column.name)
            if found is not None and column.name not in mapping:
                mapping[column.name] = read(found, column.kind, place.profiles[found])
                notes[column.name] = _notes(column.name, found, place)
    if guess.table == "order_lines":
        _complete_lines(guess, mapping, notes)
    if guess.table == "catalog" and guess.roles.get("category"):
        broad = guess.roles["category"]
        mapping["category"] = f"[{', '.join(read(column, 'text', guess.profiles[column]) for column in broad)}]"
        notes["category"] = ["CHECK: from the broadest to the narrowest"]
    if guess.table == "plans" and "starts_on" in mapping:
        mapping["known_on"] = f"CAST({mapping['starts_on']} AS DATE) - 7"
        notes["known_on"] = ["CHECK: how many days ahead is a promotion decided? Rather too late than too early."]
    if guess.table == "identity_links":
        _link(guess, mapping, notes)
    return mapping, notes


def _complete_lines(guess: Guess, mapping: dict[str, str], notes: dict[str, list[str]]) -> None:
    line = guess.column("line_number")
    if "source_line_id" not in mapping and line and "order_id" in mapping:
        mapping["source_line_id"] = f"{mapping['order_id']} || '-' || {read(line, 'text', guess.profiles[line])}"
        notes["source_line_id"] = ["CHECK: is that unique in the export?"]
    price = guess.column("unit_price")
    if "net_amount" not in mapping and price and "quantity" in mapping:
        of_one = read(price, "decimal", guess.profiles[price])
        of_one = of_one if "::" in of_one else f"CAST({of_one} AS DECIMAL(18, 4))"
        of_all = (
            mapping["quantity"] if "::" in mapping["quantity"] else f"CAST({mapping['quantity']} AS DECIMAL(18, 4))"
        )
        mapping["net_amount"] = f"CAST({of_all} * {of_one} AS DECIMAL(18, 4))"
        notes["net_amount"] = [f"CHECK: units times price; seen {_examples(price, guess)}"]
    if "quantity" in mapping and guess.profile("quantity").negative_share == 0:
        notes.setdefault("quantity", []).append("CHECK: never negative here: how do returns appear?")
    if "order_id" not in mapping and "ordered_at" in mapping:
        who = "channel_customer_id" in mapping
        parts = ("channel_customer_id", "ordered_at") if who else ("location_id", "product_id", "ordered_at")
        mapping["order_id"] = " || '-' || ".join(
            f"CAST({mapping[part]} AS VARCHAR)" for part in parts if part in mapping
        )
        notes["order_id"] = ["CHECK: no order number was found: " + (
            "what a customer bought at one time is taken as an order" if who else
            "each row is taken as an order of nobody, which serves forecasts but no recommendations"
        )]  # fmt: skip
    account = guess.column("channel_customer_id")
    if account and guess.profiles[account].personal:
        kind = guess.profiles[account].look
        mapping["channel_customer_id"] = f"keyed_hash('{kind}', {mapping['channel_customer_id']})"
        notes["channel_customer_id"] = [f"looks like {kind} numbers: only a keyed hash is stored; set the key first"]


def _link(guess: Guess, mapping: dict[str, str], notes: dict[str, list[str]]) -> None:
    kind = next(role for role in LINKS if guess.column(role))
    column = str(guess.column(kind))
    mapping |= {"channel": "'pos'", "kind": f"'{kind}'", "value": read(column, "text", guess.profiles[column])}
    notes["channel"] = ["CHECK: the channel of these accounts, as the order lines write it"]
    notes["value"] = ["stored only as a keyed hash; set the key first"]


def _notes(column: str, found: str, guess: Guess) -> list[str]:
    profile = guess.profiles[found]
    if column in {"name", "brand"}:
        return []
    note = f"seen {_examples(found, guess)}"
    if profile.filled_share < 1:
        note += f"; {1 - profile.filled_share:.0%} empty"
    notes = [note]
    if profile.doubtful_days:
        notes.append("CHECK: day before month, or month before day? no date decides it")
    others = [name for name in guess.roles.get(column, [])[1:] if name != found]
    if others:
        notes.append(f"CHECK: or is it {', '.join(others)}?")
    return notes


def _seen(column: str, guess: Guess) -> str:
    profile = guess.profiles[column]
    return f"{column} ({profile.look})" if profile.personal else column


def _examples(column: str, guess: Guess) -> str:
    return ", ".join(example.replace("\n", " ") for example in guess.profiles[column].examples) or "nothing"


def _values(name: str, guess: Guess, mapping: dict[str, str]) -> Iterator[str]:
    """A value map to fill in, for columns whose values OneBasket has its own words for."""
    for column, own in (("channel", "pos, app, mini_program, ecommerce, group_buy or live"),
                        ("status", "completed or cancelled"), ("fulfilment", "carry_out, pickup or delivery")):  # fmt: skip
        found = guess.column(column)
        if column not in mapping or found is None:
            continue
        values = sorted({str(value) for value in guess.file.values(found)})
        known = [word for word in own.replace(" or ", ", ").split(", ")]
        if values and len(values) <= MOST_VALUES and not set(values) <= set(known):
            yield from ("", f"# CHECK: say what each value means: {own}", f"[sources.{_bare(name)}.values.{column}]")
            yield from (f'{_text(value)} = "{_meant(value, known)}"' for value in values)


def _meant(value: str, known: list[str]) -> str:
    """The word of ours that a value most likely means; the first where nothing tells."""
    for sign, word in MEANINGS.items():
        if sign in value.lower() and word in known:
            return word
    return known[0]


MEANINGS = {"小程序": "mini_program", "mini": "mini_program", "app": "app", "门店": "pos", "pos": "pos", "团": "group_buy",
            "group": "group_buy", "直播": "live", "live": "live", "淘": "ecommerce", "京东": "ecommerce", "shop": "ecommerce",
            "online": "ecommerce", "web": "ecommerce", "电商": "ecommerce", "取消": "cancelled", "关闭": "cancelled",
            "cancel": "cancelled", "storn": "cancelled", "自提": "pickup", "pick": "pickup", "abhol": "pickup",
            "配送": "delivery", "送": "delivery", "deliver": "delivery", "liefer": "delivery"}  # fmt: skip


def _is_chinese(text: str) -> bool:
    return any(CHINESE[0] <= sign <= CHINESE[1] for sign in text)


def _text(value: str) -> str:
    """A text for TOML; as it stands where it can."""
    if "'" not in value and '"' in value and "\n" not in value:
        return f"'{value}'"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n") + '"'


def _bare(name: str) -> str:
    return name if name.isascii() else quoted(name)


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name).strip("-").lower() or "my-shop"
