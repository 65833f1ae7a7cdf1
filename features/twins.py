"""Twins: one order that two systems exported, told by its number or by customer, shop, products, amount and time.

Every decision looks at earlier records only, so a record that comes later never changes it. The order of records is
(ordered_at, source, order_id, day); the later of two twins is the duplicate, the earlier is kept.
"""

from typing import Any

import ibis

from features.sources import Identity, Orders

NUMBER, BASKET = "order-number", "basket"
ALWAYS = ibis.date(1900, 1, 1)
NUMBER_DAYS = 30  # how far apart two systems may date one order number
# two records of one number and shop are one order's where they are no more days apart, and their amounts no more than
# one part in so many
NEAR_DAYS, AMOUNT_PARTS = 3, 3
MOST_ALIKE = 8  # beyond this many earlier orders that fit nothing is told apart
TURN = ("ordered_at", "source", "order_id", "day")
CARRIED = ("source", "ordered_at", "net_amount", "cancelled", "location_id", "customer_id")


def shared_evidence(links: Any, identity: Identity) -> Any:
    """What two accounts may have in common, and from when until when it tells that they are one customer's.

    From `links` (account_id, value_hash, linked_on): columns evidence_account, value, since, until. A value that has
    come to be shared by more than `most_accounts` accounts tells nothing from that day on; what is learnt later
    changes nothing before it.
    """
    first = links.group_by("account_id", "value_hash").agg(since=links.linked_on.coalesce(ALWAYS).min())
    window = ibis.window(group_by="value_hash", order_by=["since", "account_id"])
    first = first.mutate(nth=ibis.row_number().over(window))
    crowded = first.filter(first.nth == identity.most_accounts).select(crowded="value_hash", until="since")
    joined = first.left_join(crowded, first.value_hash == crowded.crowded)
    return joined.select(evidence_account="account_id", value="value_hash", since="since", until="until")


def twin_candidates(headers: Any, settings: Orders, evidence: Any | None = None) -> Any:
    """Pairs (later order, earlier candidate) with their evidence.

    'order-number': one names the other's number as its external number, or both name the same one, within
    NUMBER_DAYS. 'basket': same customer, location, products and amount within `twin_minutes`, where neither names
    another number and neither is cancelled. Customers are the same where the accounts are, or where both had the
    same `evidence` (see `shared_evidence`) on the day of the later order. A pair with both is told by its number.
    For the records of a day it needs the headers of NUMBER_DAYS before it, and baskets only `twin_minutes` of them.
    """
    second = headers.ordered_at.truncate("s").epoch_seconds()
    headers = headers.mutate(second=second.cast("float64").cast("int64"))  # DuckDB gives it as a fraction
    plain = headers if "customer_id" in headers.columns else headers.mutate(customer_id=headers.account_id)
    pairs = _number_pairs(plain)
    if settings.twin_minutes:
        seconds = settings.twin_minutes * 60
        alike = _basket_pairs(plain, seconds)
        if evidence is not None:
            # the later order's day decides what was known: its evidence holds, and the earlier one has the same value
            given = plain.inner_join(evidence, plain.customer_id == evidence.evidence_account)
            given = given.mutate(customer_id=given.value)
            alike = alike.union(_basket_pairs(given, seconds))
            alike = _once_per_pair(alike)
        pairs = pairs.union(alike)
    return pairs


def _once_per_pair(pairs: Any) -> Any:
    window = ibis.window(group_by=["order_id", "day", "candidate_order_id", "candidate_day"], order_by=["customer_id"])
    return pairs.mutate(nth=ibis.row_number().over(window)).filter(ibis._.nth == 0).drop("nth")


def _number_pairs(headers: Any) -> Any:
    naming = _few_per_day(headers.filter(headers.external_order_id.notnull()), "external_order_id")
    one, other = naming.view(), headers.view()
    by_number = _oriented(one, other, one.external_order_id == other.order_number)
    third = naming.view()
    by_external = _oriented(one, third, one.external_order_id == third.external_order_id)
    pairs = by_number.union(by_external).distinct()
    # numbers that begin anew every day fit orders far and wide: what nothing bears out is shown of a day's distance
    return pairs.filter(pairs.borne_out | (pairs.seconds_apart <= 86_400))


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
    dated = "since" in known.columns
    later = known.mutate(probe=ibis.array([known.bucket, known.bucket - 1]).unnest())
    pairs = later.join(earlier, [
        later.customer_id == earlier.customer_id, later.location_id == earlier.location_id,
        later.basket == earlier.basket, later.net_amount == earlier.net_amount, later.probe == earlier.bucket,
        later.source != earlier.source, later.second - earlier.second <= seconds, _before(earlier, later),
        *((later.since <= later.day, earlier.since <= later.day,
           later.until.isnull() | (later.until > later.day)) if dated else ()),
    ])  # fmt: skip
    return pairs.select(**_pair(later, earlier, BASKET))


def _before(one: Any, other: Any) -> Any:
    """True where `one` has its turn before `other`."""
    decided: Any = ibis.literal(False)
    for name in reversed(TURN):
        decided = (one[name] < other[name]) | ((one[name] == other[name]) & decided)
    return decided


def _pair(later: Any, earlier: Any, evidence: str) -> dict[str, Any]:
    # a number alone, or with a shop, may be an accident: what was bought, or who bought it, must agree, or nearly so
    anywhere = (later.location_id == "all") | (earlier.location_id == "all")
    one, other = (orders.net_amount.cast("float64") for orders in (later, earlier))
    near = (one - other).abs() * AMOUNT_PARTS <= ibis.greatest(one, other)
    soon = later.second - earlier.second <= NEAR_DAYS * 86_400
    alike = (near.coalesce(False) & soon) | (later.basket == earlier.basket).coalesce(False)
    borne_out = ((later.location_id == earlier.location_id) | anywhere).coalesce(False) & alike
    for name in ("net_amount", "customer_id"):
        borne_out = borne_out | (later[name] == earlier[name]).coalesce(False)
    return {
        "order_id": later.order_id, "day": later.day, "order_number": later.order_number,
        "products": later.products,
        **{name: later[name] for name in CARRIED},
        "candidate_order_id": earlier.order_id, "candidate_day": earlier.day,
        **{f"candidate_{name}": earlier[name] for name in CARRIED},
        "evidence": ibis.literal(evidence), "seconds_apart": later.second - earlier.second,
        "borne_out": borne_out,
    }  # fmt: skip
