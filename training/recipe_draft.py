"""A recipe drafted from exports, with comments that say what was seen and what to check."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from features.errors import RecipeError, SourceError
from features.expressions import quoted
from features.tables import SOURCE_TABLES
from training.recipe_guess import LINKS, Guess, guessed, put_together
from training.recipe_mapping import OWN_WORDS, joined_to, mapping_of, values_of
from training.recipe_words import plain

CHINESE = "\u4e00", "\u9fff"


def drafted(files: Iterable[Path], folder: Path) -> str:
    """The text of a recipe for these exports, its paths relative to `folder`.

    Raises RecipeError when no file looks like order lines, saying what was seen.
    """
    looked_at, strange = [], []
    for path in files:
        try:
            looked_at.append(guessed(path))
        except SourceError as fault:
            strange.append(str(fault))
    guesses = list(put_together(looked_at))
    lines = [guess for guess in guesses if guess.table == "order_lines"]
    if not lines:
        seen = "; ".join(f"{guess.file.path.name}: {', '.join(guess.file.columns[:12])}" for guess in guesses)
        raise RecipeError(
            "none of the files looks like order lines (an order or customer, a product, a quantity or amount): "
            f"write the recipe by hand, from docs/recipes.md; seen were {'; '.join([seen, *strange])}"
        )
    return "\n".join([*_recipe(guesses, lines, folder), *(f"\n# {fault}" for fault in strange)]) + "\n"


def _recipe(guesses: list[Guess], lines: list[Guess], folder: Path) -> Iterator[str]:
    yield "# Drafted by `onebasket recipe new` from what the exports look like. Check every line that says CHECK,"
    yield "# then: onebasket recipe check --recipe THIS_FILE"
    yield from ("", "[retailer]", f'name = "{_safe(folder.name)}"')
    zone, currency, country = _place(guesses)
    yield f'time_zone = "{zone}"   # CHECK: the zone of the shops decides the day of a sale'
    yield f'currency = "{currency}"   # CHECK: ISO 4217 code of the amounts'
    yield (
        f'country = "{country}"   # CHECK: for public holidays'
        if country
        else '# country = "DE"   # for public holidays'
    )
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
    if not any(guess.table == "identity_links" for guess in guesses):
        yield from _links_of_lines(lines, folder)
    if not any(guess.table == "catalog" for guess in guesses):
        yield from _catalog_of_lines(lines, folder)


def _place(guesses: list[Guess]) -> tuple[str, str, str]:
    """Time zone, currency and country that the language of the columns speaks for."""
    columns = [column for guess in guesses for column in guess.file.columns]
    if any(_is_chinese(column) for column in columns):
        return "Asia/Shanghai", "CNY", "CN"
    german = {"menge", "betrag", "artikelnummer", "artikel", "filiale", "datum", "anzahl", "kundennummer", "preis"}
    if any(german & set(plain(column).split()) for column in columns):
        return "Europe/Berlin", "EUR", "DE"
    return "UTC", "", ""


def _catalog_of_lines(lines: list[Guess], folder: Path) -> Iterator[str]:
    """Names and categories that stand in the order lines: a catalog from the same file."""
    for guess in lines:
        if guess.column("name") and guess.column("product_id"):
            yield from _source(f"{guess.name}_products", replace(guess, table="catalog"), [], folder)
            return


def _links_of_lines(lines: list[Guess], folder: Path) -> Iterator[str]:
    """Telephone numbers and the like that stand beside accounts in the order lines: evidence of who they are."""
    for guess in lines:
        account = guess.column("channel_customer_id")
        if account and any(guess.column(kind) not in {None, account} for kind in LINKS):
            yield from _source(f"{guess.name}_links", replace(guess, table="identity_links"), [], folder, optional=True)


def _source(name: str, guess: Guess, headers: list[Guess], folder: Path, *, optional: bool = False) -> Iterator[str]:
    assert guess.table is not None
    mapping, notes = mapping_of(guess, headers)
    missing = [column.name for column in SOURCE_TABLES[guess.table].columns
               if column.required and column.name not in {*mapping, "source"}]  # fmt: skip
    mark = "# " if missing or optional else ""
    yield from ("", f"# {guess.file.path.name}: {len(guess.file.rows):,} rows looked at")
    if missing:
        yield f"# It looks like {guess.table}, but nothing was found for {', '.join(missing)}:"
        yield "# map that, and take the # away."
    elif optional:
        yield "# Accounts with the same value are one customer's. Set the key for keyed hashes, and take the # away."
    head = [f"[sources.{_bare(name)}]", f'table = "{guess.table}"', *_format(guess, folder)]
    for header in joined_to(guess, headers):
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
    from_lines = guess.table != "order_lines" and "order_id" in guess.roles
    left = [column for column in guess.file.columns if not any(column in text for text in mapping.values())]
    unused = [] if from_lines else left
    if unused:
        yield f"# not used: {', '.join(_seen(column, guess) for column in unused[:20])}"
    for column, meanings in values_of(guess, headers, mapping):
        yield from ("", mark + f"# CHECK: say what each value means: {', '.join(OWN_WORDS[column])}")
        yield mark + f"[sources.{_bare(name)}.values.{column}]"
        yield from (mark + f'{_text(value)} = "{meaning}"' for value, meaning in meanings.items())


def _seen(column: str, guess: Guess) -> str:
    profile = guess.profiles[column]
    return f"{column} ({profile.look})" if profile.personal or profile.look in {"nested", "list"} else column


def _format(guess: Guess, folder: Path) -> list[str]:
    path = guess.file.path.resolve()
    path = path.with_name(guess.pattern) if guess.pattern else path
    shown = path.relative_to(folder.resolve()) if path.is_relative_to(folder.resolve()) else path
    found = [f"path = {_text(shown.as_posix())}"]
    if guess.file.format == "csv":
        found += [f"delimiter = {_text(guess.file.delimiter)}"] if guess.file.delimiter != "," else []
        found += [f"encoding = {_text(guess.file.encoding)}"] if guess.file.encoding != "utf-8" else []
    if guess.file.explode is not None:
        found.append(f"explode = {_text(guess.file.explode)}")
    if guess.file.sheet is not None:
        found.append(f"sheet = {_text(guess.file.sheet)}")
    return found


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
