"""Order lines of every source become one purchase history, and the history becomes daily demand.

Ibis expressions over tables of any size: ingest runs them on the days that changed, Spark on a whole chain.
"""

from typing import Any

import ibis

from features.tables import EVERY_LOCATION

HISTORY_KEY = [
    "order_id", "product_id", "account_id", "channel", "location_id", "day", "unit", "gift", "demand_day",
    "demand_location_id",
]  # fmt: skip
HISTORY = [
    "order_id", "product_id", "account_id", "channel", "location_id", "ordered_at", "day", "net_units", "unit",
    "net_amount", "discount_amount", "gift", "demand_day", "demand_location_id",
]  # fmt: skip
CELL = ["product_id", "location_id", "day"]
PARTS = ("sold", "gifts", "returned", "priced", "paid", "discount")


def purchase_history(lines: Any) -> Any:
    """One row per order, product, place and day, sales and returns apart, of live order lines.

    `lines` are order lines with `order_id` unified and the columns `account_id`, `day`, `gift`, `demand_day` and
    `demand_location_id`. Lines of a later day never join a row of an earlier one: what was known then stays as it was.
    """
    lines = lines.mutate(returned=lines.quantity <= 0)
    summed = lines.group_by([*HISTORY_KEY, "returned"]).agg(
        ordered_at=lines.ordered_at.min(),
        net_units=lines.quantity.sum().cast("decimal(18, 4)"),
        net_amount=lines.net_amount.sum().cast("decimal(18, 4)"),
        discount_amount=lines.discount_amount.sum().cast("decimal(18, 4)"),
    )
    return summed.select(*HISTORY)


def single_lines(lines: Any) -> Any:
    """The same of lines of which each is alone in its row: nothing to sum, at a fraction of the cost."""
    return lines.mutate(net_units=lines.quantity).select(*HISTORY)


def summed_cells(history: Any) -> Any:
    """What was sold, given along and brought back per product, location and day of the handing over."""
    cells = _cells(history)
    return cells.group_by(CELL).agg(**{part: cells[part].sum().cast("decimal(18, 4)") for part in PARTS})


def single_cells(history: Any) -> Any:
    """The same of rows of which each is alone in its cell."""
    return _cells(history)


def _cells(history: Any) -> Any:
    sale = (history.net_units > 0) & ~history.gift
    units, amount = history.net_units, history.net_amount
    return history.select(
        "product_id", location_id="demand_location_id", day="demand_day",
        sold=sale.ifelse(units, None),
        gifts=((units > 0) & history.gift).ifelse(units, None),
        returned=(units < 0).ifelse(-units, None),
        priced=(sale & amount.notnull()).ifelse(units, None),
        paid=sale.ifelse(amount, None),
        discount=sale.ifelse(history.discount_amount, None),
    )  # fmt: skip


def demand_history(cells: Any, plans: Any | None, stock: Any | None) -> Any:
    """Units per product, location and day, of `summed_cells` or `single_cells`.

    Gifts are counted apart. Returned units stand on the day on which they came back.
    """
    zero = ibis.literal(0.0)
    paid, discount = cells.paid.cast("float64"), cells.discount.cast("float64").coalesce(zero)
    listed = paid + discount
    rows = cells.select(
        *CELL,
        sold_units=cells.sold.cast("float64").coalesce(zero),
        returned_units=cells.returned.cast("float64").coalesce(zero),
        gift_units=cells.gifts.cast("float64").coalesce(zero),
        price=ibis.cases((cells.priced > 0, paid / cells.priced.cast("float64")), else_=None),
        discount_share=ibis.cases((listed > 0, ibis.least(discount / listed, 1.0)), else_=None),
    )
    return _with_promotion(_with_stock(rows, stock, CELL), plans, CELL)


def _with_stock(rows: Any, stock: Any | None, key: list[str]) -> Any:
    if stock is None:
        return rows.mutate(available_share=ibis.null("float64"))
    return rows.left_join(stock.select(*key, "available_share"), key).select(*rows.columns, "available_share")


def _with_promotion(rows: Any, plans: Any | None, key: list[str]) -> Any:
    """promotion is null where no plans are given at all: then nobody knows."""
    if plans is None:
        promoted = rows.mutate(promotion=ibis.null("boolean"))
    else:
        days = rows.select(*key, month=rows.day.truncate("M"), place=rows.location_id)
        days = days.union(days.mutate(place=ibis.literal(EVERY_LOCATION)))
        met = _met(days, plans).select(*key).distinct().mutate(promotion=True)
        promoted = rows.left_join(met, key).select(*rows.columns, promotion=met.promotion.fill_null(False))
    return promoted.select(
        *key, "sold_units", "returned_units", "gift_units", "available_share", "price", "discount_share", "promotion"
    )


def _met(days: Any, plans: Any) -> Any:
    """The days on which a plan was in force and known. Met by month first, so that few pairs are compared."""
    due = plans.select(
        product="product_id", location="location_id", starts="starts_on", ends="ends_on", known="known_on",
        starts_in=plans.starts_on.truncate("M"), ends_in=plans.ends_on.truncate("M"),
    )  # fmt: skip
    long = due.filter(due.starts_in != due.ends_in)
    return _joined(days, due, days.month == due.starts_in).union(_joined(days, long, days.month > long.starts_in))


def _joined(days: Any, due: Any, by_month: Any) -> Any:
    pairs = days.join(due, [
        days.product_id == due["product"], days.place == due["location"], by_month,
        days.day >= due.starts, days.day <= due.ends, due.known <= days.day,
    ])  # fmt: skip
    return pairs.select(*days.columns)
