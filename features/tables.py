"""The vocabulary: every table that crosses a door, with its key, columns, types, units and checks.

The page `docs/tables.md` is written from this file (`python -m features.tables`).

A column's `kind` is one of the types below. Instants end in `_at` and are UTC; days are local business
dates; money is decimal in the retailer's one currency; quantities carry their unit in the name.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["text", "int", "decimal", "float", "bool", "day", "instant", "texts", "secret"]

IBIS_TYPES: dict[Kind, str] = {
    "text": "string",
    "int": "int64",
    "decimal": "decimal(18, 4)",
    "float": "float64",
    "bool": "boolean",
    "day": "date",
    "instant": "timestamp(6)",
    "texts": "array<string>",
    "secret": "string",  # given raw, stored only as a keyed hash
}


@dataclass(frozen=True)
class Check:
    """A rule that a row must satisfy: an SQL condition that is true for *bad* rows, and the reason then given."""

    bad_when: str
    reason: str


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, what it means, and what a recipe that does not map it gets."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    default: str | None = None  # an SQL expression that stands for an unmapped column or a null; None = null
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Table:
    """A named table: its key, its columns and the checks that concern several columns at once."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = field(default=())

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _text(name: str, meaning: str, *, required: bool = False, default: str | None = None) -> Column:
    # only what begins below '!' can be blank: comparing is cheaper than trimming
    blank = (Check(f"{name} < '!' AND trim({name}) = ''", f"{name} is blank"),) if required else ()
    return Column(name, "text", meaning, required, default, blank)


def _one_of(name: str, meaning: str, values: tuple[str, ...], *, required: bool = False) -> Column:
    # not NOT IN: the engine makes a join of a long list, and a join may disturb the order of the rows
    other = " AND ".join(f"{name} <> '{value}'" for value in values)
    check = Check(other, f"{name} is not one of {', '.join(values)}")
    return Column(name, "text", meaning, required, None if required else f"'{values[0]}'", (check,))


def _at_least_zero(name: str, kind: Kind, meaning: str, *, default: str | None = None) -> Column:
    return Column(name, kind, meaning, default=default, checks=(Check(f"{name} < 0", f"{name} is negative"),))


PRODUCT = _text("product_id", "the retailer's product number", required=True)
LOCATION = _text("location_id", "shop, dark store or warehouse that the units leave from", default="'all'")
EVERY_LOCATION = "all"
LOCATION_OR_ALL = _text("location_id", "the location that it holds for; 'all' for every one", default="'all'")

ORDER_LINES = Table(
    "order_lines",
    "One line of one order as a channel exported it, after its recipe's mapping.",
    key=("source", "source_line_id"),
    columns=(
        _text("source", "the recipe's name for the export", required=True),
        _text("source_line_id", "unique within the source; numbered per order where the export has none"),
        _text("channel", "pos, app, mini_program, ecommerce, group_buy or live", default="'pos'"),
        _text("channel_customer_id", "the customer's account in that channel; null for an anonymous basket"),
        _text("order_id", "basket, receipt or order number", required=True),
        PRODUCT,
        LOCATION,
        Column("quantity", "decimal", "units sold, negative for a return, 0 for money given back alone", required=True,
               checks=(Check("quantity = 0 AND coalesce(net_amount, 0) >= 0", "quantity is zero"),
                       Check("quantity > 1000000000 OR quantity < -1000000000", "quantity is beyond a billion"))),
        _text("unit", "what one unit is: each, kg, gallon …", default="'each'"),
        Column("net_amount", "decimal", "paid for the line after discounts, signed as the quantity"),
        _at_least_zero("discount_amount", "decimal", "taken off the list price, as a positive amount", default="0"),
        Column("ordered_at", "instant", "when it was ordered (UTC)", required=True),
        _text("fulfilment", "carry_out, pickup or delivery", default="'carry_out'"),
        Column("fulfilled_at", "instant", "when it is handed over, where that is another day than the order's"),
        _text("fulfilment_location_id", "where it is handed over, where that is another location"),
        _one_of("status", "completed, or cancelled: then it is neither a purchase nor demand",
                ("completed", "cancelled")),
        Column("gift", "bool", "given along free of charge: demand, but nobody's decision", default="false"),
        _text("currency", "ISO 4217 code of the amounts; null for the retailer's own"),
        _text("external_order_id", "the number under which another system knows the same order"),
        _text("returns_order_id", "the order that this line gives back from, where the export says it"),
        _text("returns_line_id", "the line that this line gives back, where the export says it"),
        Column("revised_at", "instant", "when the line was last changed: of its versions the latest counts"),
    ),
    checks=(
        Check("quantity > 0 AND net_amount < 0", "net_amount is negative on a sale"),
        Check("quantity < 0 AND net_amount > 0", "net_amount is positive on a return"),
        Check("fulfilled_at > ordered_at + INTERVAL 400 DAY", "fulfilled_at is more than 400 days after ordered_at"),
    ),
)  # fmt: skip

CUSTOMERS = Table(
    "customers",
    "One row per person, however many channel accounts.",
    key=("customer_id",),
    columns=(
        _text("customer_id", "the unified customer", required=True),
        Column("accounts", "texts", "channel accounts as channel:account, sorted"),
        Column("first_purchase_on", "day", "first day with a purchase"),
        Column("last_purchase_on", "day", "last day with a purchase"),
        Column("opted_out", "bool", "has refused personalisation", default="false"),
    ),
)

PURCHASE_HISTORY = Table(
    "purchase_history",
    "The one history: units of a product in an order, over all channels. Returns are rows of their own.",
    key=(
        "order_id",
        "product_id",
        "account_id",
        "channel",
        "location_id",
        "day",
        "unit",
        "gift",
        "demand_day",
        "demand_location_id",
    ),
    columns=(
        _text("order_id", "unified order number, unique over all sources", required=True),
        PRODUCT,
        _text("account_id", "the channel account, see `accounts`; null for an anonymous basket"),
        _text("channel", "where it was ordered", required=True),
        LOCATION,
        Column("ordered_at", "instant", "when it was ordered (UTC)", required=True),
        Column("day", "day", "local business date of the order", required=True),
        Column("net_units", "decimal", "units sold, negative for units given back, 0 for money alone", required=True),
        _text("unit", "what one unit is"),
        Column("net_amount", "decimal", "paid, in the retailer's currency"),
        Column("discount_amount", "decimal", "taken off the list price"),
        Column("gift", "bool", "given along or sold for nothing: nobody's decision", required=True),
        Column("demand_day", "day", "local date on which it is handed over", required=True),
        _text("demand_location_id", "where it is handed over", required=True),
    ),
)

ORDER_TWINS = Table(
    "order_twins",
    "Orders that another system had exported before; without a kept order, those that looked like it and were left.",
    key=("order_id", "day"),
    columns=(
        _text("order_id", "the later record", required=True),
        Column("day", "day", "local business date of the later record", required=True),
        _text("source", "the export that it is in", required=True),
        _text("order_number", "its number as the export writes it"),
        _text("kept_order_id", "the order that stands for both; null where this one was left as it is"),
        Column("kept_day", "day", "local business date of the order kept"),
        _text("kept_source", "the export that the order kept is in"),
        _text("evidence", "order-number, or basket: same customer, location, products and amount, minutes apart"),
        Column("seconds_apart", "int", "from the record that it was laid to until this one"),
        _text("explanation", "why, in words"),
    ),
)  # fmt: skip

RETURNS = Table(
    "returns",
    "What was given back, laid to the sale that it was bought in. Per return line the rows add up to the line.",
    key=("source", "source_line_id", "sale_order_id", "sale_line_id"),
    columns=(
        _text("source", "the export of the return line", required=True),
        _text("source_line_id", "the return line", required=True),
        _text("order_id", "order number of the return", required=True),
        PRODUCT,
        Column("day", "day", "local business date of the return", required=True),
        LOCATION,
        _at_least_zero("units", "decimal", "units given back; 0 for money back alone"),
        Column("amount", "decimal", "money given back, as a positive amount; null where unknown"),
        _text("sale_order_id", "the order that it was bought in; null where unmatched"),
        _text("sale_line_id", "the line that it was bought in; null where unmatched"),
        Column("sale_day", "day", "local business date of that sale"),
        _text("matched_by", "line number; order and product; customer, product and price; customer and product; or "
              "unmatched"),
        _text("reason", "why it is unmatched: no sale before it fits, more given back than bought, or given back in "
              "another system already"),
    ),
)  # fmt: skip

CATALOG = Table(
    "catalog",
    "What each product is, as of now: one row per product. Prices over time live in demand and plans.",
    key=("product_id",),
    columns=(
        PRODUCT,
        _text("name", "as a customer would read it"),
        Column("category", "texts", "path from the broadest to the narrowest category"),
        _text("brand", "brand or maker"),
        _text("unit", "what one unit is", default="'each'"),
        _at_least_zero("pack_size", "float", "units in an order pack"),
        _at_least_zero("shelf_life_days", "float", "days it may stand on the shelf"),
    ),
)

LOCATIONS = Table(
    "locations",
    "Shops, dark stores and warehouses.",
    key=("location_id",),
    columns=(
        _text("location_id", "shop, dark store or warehouse", required=True),
        _text("name", "as people call it"),
        _text("kind", "store, dark_store or warehouse", default="'store'"),
        _text("region", "region for calendars and partitions"),
    ),
)

STOCK = Table(
    "stock",
    "Stock at the close of a day.",
    key=("product_id", "location_id", "day"),
    columns=(
        PRODUCT,
        LOCATION,
        Column("day", "day", "local business date", required=True),
        _at_least_zero("closing_units", "float", "units on the shelf at closing time"),
        _at_least_zero("on_order_units", "float", "units ordered and not yet arrived", default="0"),
        Column("available_share", "float", "share of the open hours with stock, 0 to 1",
               checks=(Check("available_share < 0 OR available_share > 1", "available_share is not within 0 to 1"),)),
    ),
)  # fmt: skip

DEMAND_HISTORY = Table(
    "demand_history",
    "Units handed over per product, location and day; days without a row sold nothing.",
    key=("product_id", "location_id", "day"),
    columns=(
        PRODUCT,
        LOCATION,
        Column("day", "day", "local business date", required=True),
        Column("sold_units", "float", "units sold; what came back is in returned_units", required=True),
        Column("returned_units", "float", "units given back that day, as a positive number"),
        Column("gift_units", "float", "units handed over for nothing, not in sold_units"),
        Column("available_share", "float", "share of the open hours with stock; null where unknown"),
        Column("price", "float", "mean price paid per unit that day"),
        Column("discount_share", "float", "discount as a share of the list price, 0 to 1"),
        Column("promotion", "bool", "a plan was in force that day"),
    ),
)

DEMAND_DAYS = Table(
    "demand_days",
    "The export `onebasket demand`: every day of a series from its first sale or listing on, as of a day.",
    key=("location_id", "product_id", "day"),
    columns=(
        LOCATION,
        PRODUCT,
        Column("day", "day", "local business date", required=True),
        Column("ranged", "bool", "on offer there: within a listing, or sold; without listings from the first sale on"),
        Column("is_open", "bool", "shops are open, by the location's own calendar, else its region's, else for all"),
        Column("sold_units", "float", "units sold; 0 on a day without a sale", required=True),
        Column("returned_units", "float", "units given back that day, as a positive number"),
        Column("gift_units", "float", "units handed over for nothing, not in sold_units"),
        Column("available_share", "float", "share of the open hours with stock; 0 also between two closings without "
               "any when nothing sold; null where unknown"),
        Column("closing_units", "float", "units on the shelf at closing time; null where unknown"),
        Column("sold_out", "bool", "no stock at closing, or for a part of the day; null where no stock tells"),
        Column("price", "float", "price per unit, see price_origin; null where none is known yet"),
        _text("price_origin", "paid (that day), paid earlier (on the latest day with a sale), or shelf (as set since)"),
        Column("promotion", "bool", "a plan was in force and known that day; null where no plans are given"),
        Column("suspected_stockout", "bool", "part of an improbable run of days without a sale; a flag, no truth"),
        Column("zero_run_chance", "float", "chance that demand alone leaves so long a run without a sale, corrected "
               "for "
               "the number of runs; null outside runs that can be judged"),
        Column("missed_units", "float", "what a suspected day would probably have sold; 0 on other days"),
    ),
)  # fmt: skip

CALENDAR = Table(
    "calendar",
    "What is known of every day in advance.",
    key=("region", "day"),
    columns=(
        _text(
            "region", "region of the locations that it holds for, or one location; 'all' for every one", default="'all'"
        ),
        Column("day", "day", "local date", required=True),
        Column("is_open", "bool", "shops are open", default="true"),
        _text("holiday", "name of the holiday, null on ordinary days"),
        Column("working_day", "bool", "most people work that day"),
    ),
)

PLANS = Table(
    "plans",
    "Promotions and prices that were planned: known ahead from `known_on`.",
    key=("product_id", "location_id", "starts_on"),
    columns=(
        PRODUCT,
        LOCATION_OR_ALL,
        Column("starts_on", "day", "first day in force", required=True),
        Column("ends_on", "day", "last day in force", required=True),
        Column("known_on", "day", "the day from which the plan counts as known", required=True),
        _text("display", "where in the shop it stands out, null for nowhere"),
        _text("promotion", "what kind of advertising it has, null for none"),
        _at_least_zero("planned_price", "decimal", "price per unit while in force"),
    ),
    checks=(Check("ends_on < starts_on", "ends_on is before starts_on"),),
)

SUPPLY_TERMS = Table(
    "supply_terms",
    "How a product reaches a location. Missing rows and values take the recipe's replenishment defaults.",
    key=("product_id", "location_id"),
    columns=(
        PRODUCT,
        LOCATION_OR_ALL,
        _at_least_zero("lead_time_days", "int", "days from order to arrival"),
        Column("review_period_days", "int", "days between two orders",
               checks=(Check("review_period_days < 1", "review_period_days is below 1"),)),
        Column("pack_size", "float", "order quantities are multiples of this many units",
               checks=(Check("pack_size <= 0", "pack_size is not above 0"),)),
        _at_least_zero("moq", "float", "minimum order quantity, units"),
        _at_least_zero("presentation_stock", "float", "units that must always stand on the shelf"),
        _at_least_zero("shelf_life_days", "float", "days it may stand on the shelf"),
        Column("service_level", "float", "share of cycles without a stock-out to aim at, 0.5 to 0.999",
               checks=(Check("service_level < 0.5 OR service_level > 0.999",
                             "service_level is not within 0.5 to 0.999"),)),
    ),
)  # fmt: skip

IDENTITY_LINKS = Table(
    "identity_links",
    "Evidence of who an account belongs to: two accounts with the same value of a kind are one customer's.",
    key=("channel", "channel_customer_id", "kind", "value", "linked_at"),
    columns=(
        _text("channel", "channel of the account", required=True),
        _text("channel_customer_id", "the account", required=True),
        _one_of("kind", "member_card, unionid, openid, phone, email, device or receipt",
                ("member_card", "unionid", "openid", "phone", "email", "device", "receipt"), required=True),
        Column("value", "secret", "the number, address or token itself; only its keyed hash is stored", required=True),
        Column("linked_at", "instant", "since when it is known; null for always"),
    ),
)  # fmt: skip

ACCOUNTS = Table(
    "accounts",
    "Every channel account and the customer it belongs to, as of the last day of the history.",
    key=("account_id", "channel"),
    columns=(
        _text("account_id", "the account number where it means one person in every channel, else channel:number",
              required=True),
        _text("channel", "a channel in which it occurs", required=True),
        _text("customer_id", "the unified customer: the earliest of its accounts", required=True),
        Column("first_day", "day", "the first day with any row of the account", required=True),
    ),
)  # fmt: skip

IDENTITY_REVIEW = Table(
    "identity_review",
    "Evidence that did not join all whom it touches, because they would be several people: for people to look at.",
    key=("kind", "value_hash", "reason"),
    columns=(
        _text("kind", "kind of evidence, as in identity_links, or 'likeness'", required=True),
        _text("value_hash", "keyed hash of the value that they share; 'precision' in the one row about likeness as a "
              "whole, whether it was used or not", required=True),
        Column("accounts", "int", "accounts with the value"),
        Column("customers", "int", "customers that it would have joined"),
        _text("reason", "what speaks against it; of likeness, its precision and on how many pairs", required=True),
        Column("sample", "texts", "at most 20 of the accounts, sorted"),
    ),
)  # fmt: skip

IDENTITY_LOG = Table(
    "identity_log",
    "The joins that made the customers, none to spare: joining the two accounts of every row gives `accounts`.",
    key=("account_id", "customer_id_before"),
    columns=(
        Column("joined_on", "day", "the day from which both accounts were known by the value", required=True),
        _text("account_id", "an account of the customer that was joined", required=True),
        _text("via_account_id", "the account that it shares the value with", required=True),
        _text("customer_id_before", "the customer that it was until then", required=True),
        _text("customer_id_after", "the customer that it became", required=True),
        _text("kind", "kind of evidence; 'decision' where people decided, 'likeness' where profiles are alike",
              required=True),
        _text("value_hash", "keyed hash of the value; the number of the decision", required=True),
    ),
)  # fmt: skip

PROFILES = Table(
    "profiles",
    "What accounts say of their holders, for linking by likeness (identity.probabilistic); stored as hashes only.",
    key=("channel", "channel_customer_id"),
    columns=(
        _text("channel", "channel of the account", required=True),
        _text("channel_customer_id", "the account", required=True),
        Column("family_name", "secret", "family name"),
        Column("given_name", "secret", "given name"),
        Column("birth_date", "secret", "date of birth, written alike in every export; a year alone helps little"),
        Column("postcode", "secret", "postcode, or district where there is none"),
        Column("street", "secret", "street and house, or the compound and its building"),
        Column("known_at", "instant", "since when it is known; null for always"),
    ),
)

CONSENTS = Table(
    "consents",
    "What customers wish to be done with their data; per account the latest wish counts, and erase is final.",
    key=("channel", "channel_customer_id", "wish", "wished_at"),
    columns=(
        _text("channel", "channel of the account", required=True),
        _text("channel_customer_id", "the account", required=True),
        _one_of("wish", "opt_out (no personalisation), opt_in, or erase", ("opt_out", "opt_in", "erase"),
                required=True),
        Column("wished_at", "instant", "when it was said", required=True),
    ),
)  # fmt: skip

BUNDLES = Table(
    "bundles",
    "Products that are sold as one and leave the shelf as several.",
    key=("bundle_product_id", "product_id"),
    columns=(
        _text("bundle_product_id", "the product number of the bundle", required=True),
        _text("product_id", "a product in it", required=True),
        Column("units", "decimal", "units of that product in one bundle", default="1",
               checks=(Check("units <= 0", "units is not above 0"),)),
        _at_least_zero("amount_share", "float", "its share of the bundle's price; null for by units"),
    ),
)  # fmt: skip

PRODUCT_UNITS = Table(
    "product_units",
    "Units that mean another quantity for each product, such as a case.",
    key=("product_id", "unit"),
    columns=(
        PRODUCT,
        _text("unit", "the unit as the exports name it", required=True),
        _text("to_unit", "the unit that it is counted in", default="'each'"),
        Column("times", "decimal", "how many of those one is", required=True,
               checks=(Check("times <= 0", "times is not above 0"),)),
    ),
)  # fmt: skip

EXCHANGE_RATES = Table(
    "exchange_rates",
    "What a foreign currency was worth; the latest rate up to a day counts.",
    key=("currency", "day"),
    columns=(
        _text("currency", "ISO 4217 code", required=True),
        Column("day", "day", "from this day on", required=True),
        Column("rate", "float", "units of the retailer's currency for one of it", required=True,
               checks=(Check("rate <= 0", "rate is not above 0"),)),
    ),
)  # fmt: skip

PRICES = Table(
    "prices",
    "Shelf prices as they were set.",
    key=("product_id", "location_id", "starts_on"),
    columns=(
        PRODUCT,
        LOCATION_OR_ALL,
        Column("starts_on", "day", "first day of the price", required=True),
        _at_least_zero("price", "decimal", "price per unit from then on"),
    ),
)

LISTINGS = Table(
    "listings",
    "Which products a location offers, and when.",
    key=("product_id", "location_id", "starts_on"),
    columns=(
        PRODUCT,
        LOCATION_OR_ALL,
        Column("starts_on", "day", "first day on offer", required=True),
        Column("ends_on", "day", "last day on offer; null while it lasts"),
    ),
    checks=(Check("ends_on < starts_on", "ends_on is before starts_on"),),
)

WEATHER = Table(
    "weather",
    "Weather as forecast or seen, with the day on which each figure was known.",
    key=("region", "day", "known_on"),
    columns=(
        _text("region", "region of the locations that it holds for; 'all' for every one", default="'all'"),
        Column("day", "day", "local date", required=True),
        Column("known_on", "day", "the day on which it was known: before `day` for a forecast", required=True),
        Column("low_celsius", "float", "lowest temperature"),
        Column("high_celsius", "float", "highest temperature"),
        _at_least_zero("rain_mm", "float", "rain and melted snow, millimetres"),
    ),
)

FORECAST_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.80, 0.90, 0.95, 0.99)
QUANTILE_COLUMNS = tuple(f"q{round(level * 100):02d}" for level in FORECAST_LEVELS)

FORECAST = Table(
    "forecast",
    "Daily demand as a distribution.",
    key=("product_id", "location_id", "made_on", "target_date"),
    columns=(
        PRODUCT,
        LOCATION,
        Column("made_on", "day", "forecast origin: the last day whose rows were read", required=True),
        Column("target_date", "day", "the day forecast", required=True),
        Column("mean_units", "float", "expected units"),
        *(Column(name, "float", f"units that demand stays within with probability {level:.2f}")
          for name, level in zip(QUANTILE_COLUMNS, FORECAST_LEVELS, strict=True)),
        _text("model_version", "the bundle that made it"),
    ),
)  # fmt: skip

ORDER_PROPOSALS = Table(
    "order_proposals",
    "What to order, and why.",
    key=("product_id", "location_id", "made_on"),
    columns=(
        PRODUCT,
        LOCATION,
        Column("made_on", "day", "the day the order is placed, after closing", required=True),
        Column("on_hand", "float", "units in stock; null where no stock was given (then counted as 0)"),
        Column("on_order", "float", "units under way"),
        Column("inventory_position", "float", "on_hand + on_order, units"),
        Column("protection_days", "int", "lead time + review period, days"),
        Column("expected_units", "float", "expected demand over the protection period"),
        Column("protection_units", "float", "that demand at the service level; whole where sold whole"),
        Column("safety_stock", "float", "protection_units - expected_units"),
        Column("order_up_to_level", "float", "protection_units + presentation stock, capped by shelf life"),
        Column("unrounded_units", "float", "order_up_to_level - inventory_position, at least 0"),
        Column("proposed_units", "float", "after pack and minimum rounding"),
        Column("arrives_on", "day", "made_on + lead time"),
        Column("reason_codes", "texts", "code=units, in the order applied; the units add up to proposed_units"),
        _text("limiting_constraint", "the constraint that decided the quantity"),
        _text("model_version", "the bundle that made it"),
    ),
)  # fmt: skip

RECOMMENDATIONS = Table(
    "recommendations",
    "A ranked list per customer and surface.",
    key=("customer_id", "surface", "rank"),
    columns=(
        _text("customer_id", "the unified customer", required=True),
        _text("surface", "for-you, buy-again, with-basket, similar or trending", required=True),
        Column("rank", "int", "1 is best", required=True),
        PRODUCT,
        Column("score", "float", "higher is better; comparable within one list only"),
        _text("source", "what proposed it: own, items, als, popular-here …"),
        _text("reason", "why, in facts from the history"),
    ),
)

REMINDERS = Table(
    "reminders",
    "What a customer is to be reminded of, some days before it is due again; written by `onebasket reminders`.",
    key=("customer_id", "category", "product_id"),
    columns=(
        _text("customer_id", "the unified customer", required=True),
        _text("category", "the finest category that is due; null where products have none"),
        _text("product_id", "the product that is due, or of the category the one that the customer buys most",
              required=True),
        Column("due_date", "day", "the middle of the most probable ±3 days, foretold when it was last bought",
               required=True),
        Column("earliest", "day", "one in five buys before, but not before the day after the reminder"),
        Column("latest", "day", "one in five buys after, if within 90 days"),
        Column("probability", "float", "of a purchase within ±3 days of the due date, on the day of the reminder"),
        _text("reason", "why, in facts from the history"),
        _text("reason_zh", "the same in Chinese"),
    ),
)  # fmt: skip

EXPECTED_PURCHASES = Table(
    "expected_purchases",
    "Next purchases that the cycles of known customers let expect, for forecasters; the sum of their chances.",
    key=("product_id", "location_id", "made_on", "target_date"),
    columns=(
        PRODUCT,
        _text("location_id", "usual location of the customers; null where none is known"),
        Column("made_on", "day", "the last day that was read", required=True),
        Column("target_date", "day", "the day of the purchase", required=True),
        Column("expected_purchases", "float", "customers expected to buy the product next on that day"),
    ),
)

EVENTS = Table(
    "events",
    "What a customer did with an answer; idempotent by event_id. `onebasket events` writes them by unified customer.",
    key=("event_id",),
    columns=(
        _text("event_id", "chosen by the sender; sending it twice stores it once", required=True),
        _text("type", "view, search, click, add_to_cart, purchase, return, impression or dismiss", required=True),
        _text("customer_id", "the unified customer, or any account of it"),
        _text("channel", "where it happened"),
        _text("channel_customer_id", "the account, where the unified customer is not known"),
        _text("anonymous_id", "device or cookie of a guest"),
        _text("session_id", "visit"),
        _text("product_id", "the product, where the event has one"),
        _text("recommendation_id", "the list that it answers to"),
        Column("position", "int", "rank of the product in that list"),
        Column("quantity", "float", "units, for add_to_cart, purchase and return"),
        _text("location_id", "shop"),
        Column("happened_at", "instant", "when (UTC)", required=True),
    ),
)

TABLES: tuple[Table, ...] = (
    ORDER_LINES, CUSTOMERS, ACCOUNTS, IDENTITY_LOG, IDENTITY_REVIEW, PURCHASE_HISTORY, ORDER_TWINS, RETURNS,
    CATALOG, LOCATIONS, STOCK, DEMAND_HISTORY, DEMAND_DAYS, CALENDAR, PLANS, SUPPLY_TERMS, IDENTITY_LINKS,
    PROFILES, CONSENTS, BUNDLES, PRODUCT_UNITS, EXCHANGE_RATES, PRICES, LISTINGS, WEATHER, FORECAST,
    ORDER_PROPOSALS, RECOMMENDATIONS, REMINDERS, EXPECTED_PURCHASES, EVENTS,
)  # fmt: skip

SOURCE_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        ORDER_LINES, CATALOG, LOCATIONS, STOCK, CALENDAR, PLANS, SUPPLY_TERMS, IDENTITY_LINKS, PROFILES, CONSENTS,
        BUNDLES, PRODUCT_UNITS, EXCHANGE_RATES, PRICES, LISTINGS, WEATHER, EVENTS,
    )
}  # fmt: skip


def main(page: Path = Path(__file__).parent.parent / "docs" / "tables.md") -> None:
    """Write docs/tables.md."""
    from features.table_docs import tables_page

    page.write_text(tables_page(), "utf-8")


if __name__ == "__main__":
    main()
