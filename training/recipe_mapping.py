"""Which expression fills which column of a table, drafted from what a file looks like."""

from collections.abc import Iterator

from features.tables import SOURCE_TABLES
from training.recipe_expressions import read
from training.recipe_guess import LINKS, Guess

OPTIONAL = {
    "order_lines": ("source_line_id", "channel", "channel_customer_id", "location_id", "unit", "net_amount",
                    "discount_amount", "fulfilment", "status", "currency", "external_order_id", "returns_order_id"),
    "catalog": ("name", "brand", "unit", "pack_size", "shelf_life_days"),
    "stock": ("location_id", "on_order_units"),
    "plans": ("location_id", "display", "promotion", "planned_price"),
    "locations": ("name", "region"),
    "product_units": (), "exchange_rates": (), "identity_links": ("channel",),
}  # fmt: skip
REQUIRED = {
    "order_lines": ("order_id", "product_id", "quantity", "ordered_at"), "catalog": ("product_id",),
    "stock": ("product_id", "day", "closing_units"), "plans": ("product_id", "starts_on", "ends_on"),
    "locations": ("location_id",), "product_units": ("product_id", "unit", "times"),
    "exchange_rates": ("currency", "day", "rate"), "identity_links": ("channel_customer_id",),
}  # fmt: skip
MOST_VALUES = 12  # of a column that is listed value by value
OWN_WORDS = {
    "channel": ("pos", "app", "mini_program", "ecommerce", "group_buy", "live"),
    "status": ("completed", "cancelled"),
    "fulfilment": ("carry_out", "pickup", "delivery"),
}
MEANINGS = {
    "小程序": "mini_program",
    "mini": "mini_program",
    "app": "app",
    "门店": "pos",
    "pos": "pos",
    "团": "group_buy",
    "group": "group_buy",
    "直播": "live",
    "live": "live",
    "淘": "ecommerce",
    "京东": "ecommerce",
    "shop": "ecommerce",
    "online": "ecommerce",
    "web": "ecommerce",
    "电商": "ecommerce",
    "取消": "cancelled",
    "关闭": "cancelled",
    "cancel": "cancelled",
    "storn": "cancelled",
    "自提": "pickup",
    "pick": "pickup",
    "abhol": "pickup",
    "配送": "delivery",
    "送": "delivery",
    "deliver": "delivery",
    "liefer": "delivery",
}


def joined_to(guess: Guess, headers: list[Guess]) -> list[Guess]:
    return [header for header in headers if guess.table == "order_lines" and guess.column("order_id")
            and header.column("order_id")]  # fmt: skip


def mapping_of(guess: Guess, headers: list[Guess]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Column of the table = expression, and the comments above each."""
    assert guess.table is not None
    table = SOURCE_TABLES[guess.table]
    mapping: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for column in table.columns:
        if column.name not in {*REQUIRED[guess.table], *OPTIONAL[guess.table]}:
            continue
        for place in (guess, *joined_to(guess, headers)):
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
    line, id_of_line = guess.column("line_number"), guess.column("source_line_id")
    if id_of_line and guess.profiles[id_of_line].distinct_share < 1:  # lines with one id replace each other
        del mapping["source_line_id"], notes["source_line_id"]
        line = id_of_line
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
        notes["net_amount"] = [f"CHECK: units times price; seen {examples(price, guess)}"]
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
    mapping.setdefault("channel", "'pos'")
    mapping |= {"kind": f"'{kind}'", "value": read(column, "text", guess.profiles[column])}
    notes.setdefault("channel", ["CHECK: the channel of these accounts, as the order lines write it"])
    notes["value"] = ["stored only as a keyed hash; set the key first"]


def _notes(column: str, found: str, guess: Guess) -> list[str]:
    profile = guess.profiles[found]
    if column in {"name", "brand"}:
        return []
    note = f"seen {examples(found, guess)}"
    if profile.filled_share < 1:
        note += f"; {1 - profile.filled_share:.0%} empty"
    notes = [note]
    if profile.doubtful_days:
        notes.append("CHECK: day before month, or month before day? no date decides it")
    others = [name for name in guess.roles.get(column, [])[1:] if name != found]
    if others:
        notes.append(f"CHECK: or is it {', '.join(others)}?")
    return notes


def examples(column: str, guess: Guess) -> str:
    return ", ".join(example.replace("\n", " ") for example in guess.profiles[column].examples) or "nothing"


def values_of(guess: Guess, headers: list[Guess], mapping: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Columns that OneBasket has its own words for, and what each value of the export may mean in them."""
    for column, own in OWN_WORDS.items():
        places = [place for place in (guess, *joined_to(guess, headers)) if place.column(column)]
        if column not in mapping or not places:
            continue
        values = sorted({str(value) for value in places[0].file.values(str(places[0].column(column)))})
        if values and len(values) <= MOST_VALUES and not set(values) <= set(own):
            yield column, {value: _meant(value, own) for value in values}


def _meant(value: str, own: tuple[str, ...]) -> str:
    """The word of ours that a value most likely means; the first where nothing tells."""
    found = (word for sign, word in MEANINGS.items() if sign in value.lower() and word in own)
    return next(found, own[0])
