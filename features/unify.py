"""Order lines of every source become one purchase history, and the history becomes daily demand."""

from functools import reduce
from typing import Any

import ibis

from features.casts import local_day
from features.identity import customer_id
from features.intake import Taken
from features.sources import Intake
from features.tables import EVERY_LOCATION


def unified_lines(taken: list[Taken], intake: Intake) -> Any:
    """All order lines as one Ibis table, with the local `day`.

    Order numbers are the retailer's own where one source has them all, else source:order_id.
    """
    several = len(taken) > 1
    lines = reduce(lambda left, right: left.union(right), [source.kept for source in taken])
    if several:
        lines = lines.mutate(order_id=lines.source + ":" + lines.order_id)
    day = local_day("ordered_at", intake.retailer.time_zone)
    return lines.alias("lines_without_day").sql(f"SELECT *, {day} AS day FROM lines_without_day", dialect="duckdb")


def purchase_history(lines: Any, intake: Intake) -> Any:
    """One row per order, product, place and day, sales and returns apart, as an Ibis expression.

    Lines of a later day never join a row of an earlier one: what was known then stays as it was.
    """
    lines = lines.mutate(customer_id=customer_id(lines, intake.identity), returned=lines.quantity < 0)
    keys = ["order_id", "product_id", "customer_id", "channel", "location_id", "day", "unit", "returned"]
    summed = lines.group_by(keys).agg(
        ordered_at=lines.ordered_at.min(),
        net_units=lines.quantity.sum().cast("decimal(18, 4)"),
        net_amount=lines.net_amount.sum().cast("decimal(18, 4)"),
        discount_amount=lines.discount_amount.sum().cast("decimal(18, 4)"),
    )
    return summed.select(
        "order_id", "product_id", "customer_id", "channel", "location_id", "ordered_at", "day",
        "net_units", "unit", "net_amount", "discount_amount",
    )  # fmt: skip


def demand_history(history: Any, plans: Any | None, stock: Any | None) -> Any:
    """Units per product, location and day, as an Ibis expression."""
    sold = history.net_units > 0
    key = ["product_id", "location_id", "day"]
    daily = history.group_by(key).agg(
        sold=history.net_units.sum(where=sold),
        returned=history.net_units.sum(where=~sold),
        priced=history.net_units.sum(where=sold & history.net_amount.notnull()),
        paid=history.net_amount.sum(where=sold),
        discount=history.discount_amount.sum(where=sold),
    )
    zero = ibis.literal(0.0)
    paid, discount = daily.paid.cast("float64"), daily.discount.cast("float64").coalesce(zero)
    listed = paid + discount
    rows = daily.select(
        *key,
        sold_units=daily.sold.cast("float64").coalesce(zero),
        returned_units=(-daily.returned.cast("float64")).coalesce(zero) + zero,
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
        *key, "sold_units", "returned_units", "available_share", "price", "discount_share", "promotion"
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
