"""One header per order and day; which lines are gifts; and where and when a line is demand.

Pure Ibis expressions over order lines: the columns of `order_lines` with `day`, `account_id`, the unified
`order_id`, and `order_number`, the number as the source wrote it.
"""

from typing import Any

import ibis

from features.casts import local_day
from features.dialects import asked

DECIMAL = "decimal(18, 4)"
ZERO = ibis.literal(0).cast(DECIMAL)


def order_headers(lines: Any) -> Any:
    """One row per order and day over its sale lines (quantity above 0).

    Lines, units and amount are those of the completed lines, or of all where the whole order is cancelled.
    `basket` is the md5 of the sorted product × units list, null where cancelled: no system's order is the twin of
    a cancelled one for holding the same products. `net_amount` is null where the price of a line is unknown.
    """
    sold = lines.filter(lines.quantity > 0)
    sold = sold.mutate(
        completed=sold.status.coalesce("completed") != "cancelled",
        paid=ibis.cases((is_gift(sold) & sold.net_amount.isnull(), ZERO), else_=sold.net_amount),
    )
    kept = sold.completed
    said = [name for name in ("account_id", "external_order_id", "asker") if name in sold.columns]
    products = sold.group_by("order_id", "day", "product_id").agg(
        **{name: sold[name].min() for name in ("order_number", "source", "channel", "location_id", "ordered_at")},
        **{name: sold[name].max() for name in said},
        lines_kept=kept.sum(),
        lines_all=sold.count(),
        units_kept=sold.quantity.sum(where=kept),
        units_all=sold.quantity.sum(),
        amount_kept=sold.paid.sum(where=kept),
        amount_all=sold.paid.sum(),
        unpriced_kept=(kept & sold.paid.isnull()).sum(),
        unpriced_all=sold.paid.isnull().sum(),
    )
    return _headers_from(products)


def _headers_from(products: Any) -> Any:
    """From one row per order, day and product to one per order and day."""
    kept = products.lines_kept > 0
    entry = products.product_id + "×" + products.units_kept.cast(DECIMAL).cast("string")
    said = [name for name in ("account_id", "external_order_id", "asker") if name in products.columns]
    orders = products.group_by("order_id", "day").agg(
        **{name: products[name].min() for name in ("order_number", "source", "channel", "location_id", "ordered_at")},
        **{name: products[name].max() for name in said},
        **{name: products[name].sum() for name in products.columns if name.endswith(("_kept", "_all"))},
        products_kept=kept.sum(),
        products_all=products.count(),
        basket=entry.collect(where=kept),
    )
    cancelled = orders.lines_kept == 0

    def counted(name: str) -> Any:
        return ibis.cases((cancelled, orders[f"{name}_all"]), else_=orders[f"{name}_kept"])

    amount = ibis.cases((counted("unpriced") > 0, None), else_=counted("amount"))
    return orders.select(
        "order_id", "day", "order_number", "source", "channel", "account_id", "location_id", "ordered_at",
        "external_order_id",
        lines=counted("lines").cast("int32"),
        products=counted("products").cast("int32"),
        units=counted("units").cast(DECIMAL),
        net_amount=amount.cast(DECIMAL),
        basket=ibis.cases((cancelled, None), else_=orders.basket.sort().join("|").hexdigest("md5")),
        cancelled=cancelled,
        **({"asker": orders.asker} if "asker" in said else {}),
    )  # fmt: skip


def without_twins(lines: Any, twins: Any) -> Any:
    """Lines without the sales of orders that another system had, and without their returns that it had too.

    `twins` are rows of order_twins with a kept order. What the kept order's system does not know is no repetition.
    """
    dropped = twins.select(_order="order_id", _day="day", _kept="kept_order_id")
    marked = lines.left_join(dropped, [lines.order_id == dropped._order, lines.day == dropped._day])
    marked = marked.filter(marked._order.isnull() | (marked.quantity <= 0))
    back = lines.filter(lines.quantity <= 0).select(
        _by="order_id", _on="day", _product="product_id", _units="quantity"
    ).distinct()  # fmt: skip
    rest = marked.anti_join(back, [
        marked._kept == back._by, marked.day == back._on, marked.product_id == back._product,
        marked.quantity == back._units,
    ])  # fmt: skip
    return rest.select(lines.columns)


def is_gift(lines: Any) -> Any:
    """True where units were given along for nothing: demand, but no price and nobody's decision."""
    free = (lines.quantity > 0) & (lines.net_amount == 0)
    return lines.gift.coalesce(False) | free.coalesce(False)


def demand_place(lines: Any, time_zone: str | None = None) -> Any:
    """Add `demand_day` and `demand_location_id`: when and where the units leave, which is what a shop must stock for.

    A group-buy order is demand of the shop and the local day (`time_zone`) of its pickup; without a time zone, and
    where no pickup is told, of the day of the order. Never before the order's own day.
    """
    place = lines.fulfilment_location_id.coalesce(lines.location_id)
    lines = lines.mutate(demand_location_id=place)
    if time_zone is None:
        return lines.mutate(demand_day=lines.day)
    handed_over = local_day("fulfilled_at", time_zone)
    query = f"SELECT *, greatest(day, coalesce({handed_over}, day)) AS demand_day FROM lines_with_place"
    return asked(lines, "lines_with_place", query)
