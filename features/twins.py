"""Twins: one order that two systems exported, told by its number or by customer, shop, products, amount and time.

Every decision looks at earlier records only, so a record that comes later never changes it. The order of records is
(ordered_at, source, order_id, day); the later of two twins is the duplicate, the earlier is kept.
"""

from typing import Any

import ibis

from features.sources import Orders

NUMBER, BASKET = "order-number", "basket"
NUMBER_DAYS = 30  # how far apart two systems may date one order number
MOST_ALIKE = 8  # beyond this many earlier orders that fit nothing is told apart
TURN = ("ordered_at", "source", "order_id", "day")
CARRIED = ("source", "ordered_at", "net_amount", "cancelled", "location_id", "customer_id")


def with_customers(headers: Any, customers: Any) -> Any:
    """Add `customer_id` to the headers from (account_id, customer_id); null for an anonymous order."""
    known = customers.select(_account="account_id", customer_id="customer_id")
    return headers.left_join(known, headers.account_id == known._account).drop("_account")


def twin_candidates(headers: Any, settings: Orders) -> Any:
    """Pairs (later order, earlier candidate) with their evidence, over headers that have a `customer_id`.

    'order-number': one names the other's number as its external number, or both name the same one, within
    NUMBER_DAYS. 'basket': same customer, location, products and amount within `twin_minutes`, where neither names
    another number and neither is cancelled. A pair with both is told by its number.
    For the records of a day it needs the headers of NUMBER_DAYS before it, and baskets only `twin_minutes` of them.
    """
    headers = headers.mutate(second=headers.ordered_at.truncate("s").epoch_seconds())
    pairs = _number_pairs(headers)
    if settings.twin_minutes:
        pairs = pairs.union(_basket_pairs(headers, settings.twin_minutes * 60))
    return pairs


def _number_pairs(headers: Any) -> Any:
    naming = _few_per_day(headers.filter(headers.external_order_id.notnull()), "external_order_id")
    one, other = naming.view(), headers.view()
    by_number = _oriented(one, other, one.external_order_id == other.order_number)
    third = naming.view()
    by_external = _oriented(one, third, one.external_order_id == third.external_order_id)
    return by_number.union(by_external).distinct()


def _few_per_day(headers: Any, number: str) -> Any:
    """Without the many that share a placeholder such as '0' for a number: the first few of a source and day."""
    window = ibis.window(group_by=["source", "day", number], order_by=["ordered_at", "order_id"])
    return headers.mutate(_nth=ibis.row_number().over(window)).filter(ibis._._nth < MOST_ALIKE).drop("_nth")


def _oriented(one: Any, other: Any, same_number: Any) -> Any:
    """Pairs joined in either direction, each written as (later, earlier)."""
    joined = [same_number, one.source != other.source,
              (one.second - other.second).abs() <= NUMBER_DAYS * 86_400]  # fmt: skip
    first = one.join(other, [*joined, _before(other, one)]).select(**_pair(one, other, NUMBER))
    second = one.join(other, [*joined, _before(one, other)]).select(**_pair(other, one, NUMBER))
    return first.union(second)


def _basket_pairs(headers: Any, seconds: int) -> Any:
    """Equal baskets of one customer; buckets of time bound the join where a customer buys the same all day."""
    known = headers.filter(
        headers.customer_id.notnull() & ~headers.cancelled & headers.external_order_id.isnull()
        & headers.net_amount.notnull()
    )  # fmt: skip
    known = known.mutate(bucket=(known.second / seconds).floor().cast("int64"))
    earlier = known.view()
    later = known.mutate(probe=ibis.array([known.bucket, known.bucket - 1]).unnest())
    pairs = later.join(earlier, [
        later.customer_id == earlier.customer_id, later.location_id == earlier.location_id,
        later.basket == earlier.basket, later.net_amount == earlier.net_amount, later.probe == earlier.bucket,
        later.source != earlier.source, later.second - earlier.second <= seconds, _before(earlier, later),
    ])  # fmt: skip
    return pairs.select(**_pair(later, earlier, BASKET))


def _before(one: Any, other: Any) -> Any:
    """True where `one` has its turn before `other`."""
    decided: Any = ibis.literal(False)
    for name in reversed(TURN):
        decided = (one[name] < other[name]) | ((one[name] == other[name]) & decided)
    return decided


def _pair(later: Any, earlier: Any, evidence: str) -> dict[str, Any]:
    same = {name: later[name] == earlier[name] for name in ("location_id", "net_amount", "customer_id")}
    anywhere = (later.location_id == "all") | (earlier.location_id == "all")
    borne_out = anywhere
    for agrees in same.values():
        borne_out = borne_out | agrees.coalesce(False)
    return {
        "order_id": later.order_id, "day": later.day, "order_number": later.order_number,
        "products": later.products,
        **{name: later[name] for name in CARRIED},
        "candidate_order_id": earlier.order_id, "candidate_day": earlier.day,
        **{f"candidate_{name}": earlier[name] for name in CARRIED},
        "evidence": ibis.literal(evidence), "seconds_apart": later.second - earlier.second,
        "borne_out": borne_out,
    }  # fmt: skip
