"""Order lines of every source become one purchase history, and the history becomes daily demand.

Ibis expressions over tables of any size: ingest runs them on the days that changed, Spark on a whole chain.
"""

from typing import Any

import ibis

from features.tables import EVERY_LOCATION

HISTORY_KEY = [
    "order_id", "product_id", "account_id", "channel", "location_id", "day", "unit", "gift", "demand_day",
    "demand_location_id", "returned",
]  # fmt: skip


def purchase_history(lines: Any) -> Any:
    """One row per order, product, place and day, sales and returns apart, of live order lines.

    `lines` are order lines with `order_id` unified and the columns `account_id`, `day`, `gift`, `demand_day` and
    `demand_location_id`. Lines of a later day never join a row of an earlier one: what was known then stays as it was.
    """
    lines = lines.mutate(returned=lines.quantity <= 0)
    summed = lines.group_by(HISTORY_KEY).agg(
        ordered_at=lines.ordered_at.min(),
        net_units=lines.quantity.sum().cast("decimal(18, 4)"),
        net_amount=lines.net_amount.sum().cast("decimal(18, 4)"),
        discount_amount=lines.discount_amount.sum().cast("decimal(18, 4)"),
    )
    return summed.select(
        "order_id", "product_id", "account_id", "channel", "location_id", "ordered_at", "day", "net_units", "unit",
        "net_amount", "discount_amount", "gift", "demand_day", "demand_location_id",
    )  # fmt: skip


def demand_history(history: Any, plans: Any | None, stock: Any | None) -> Any:
    """Units per product, location and day of the handing over.

    Gifts are counted apart. Returned units stand on the day on which they came back.
    """
    given = history.select(
        "product_id", "net_units", "net_amount", "discount_amount", "gift",
        location_id="demand_location_id", day="demand_day",
    )  # fmt: skip
    sold = (given.net_units > 0) & ~given.gift
    key = ["product_id", "location_id", "day"]
    daily = given.group_by(key).agg(
        sold=given.net_units.sum(where=sold),
        gifts=given.net_units.sum(where=(given.net_units > 0) & given.gift),
        returned=given.net_units.sum(where=given.net_units < 0),
        priced=given.net_units.sum(where=sold & given.net_amount.notnull()),
        paid=given.net_amount.sum(where=sold),
        discount=given.discount_amount.sum(where=sold),
    )
    zero = ibis.literal(0.0)
    paid, discount = daily.paid.cast("float64"), daily.discount.cast("float64").coalesce(zero)
    listed = paid + discount
    rows = daily.select(
        *key,
        sold_units=daily.sold.cast("float64").coalesce(zero),
        returned_units=(-daily.returned.cast("float64")).coalesce(zero) + zero,
        gift_units=daily.gifts.cast("float64").coalesce(zero),
        price=ibis.cases((daily.priced > 0, paid / daily.priced.cast("float64")), else_=None),
        discount_share=ibis.cases((listed > 0, ibis.least(discount / listed, 1.0)), else_=None),
    )
    return _with_promotion(_with_stock(rows, stock, key), plans, key)


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
