"""Why an order is a twin of another, or why it was left: a sentence, as an Ibis expression."""

from typing import Any

import ibis

from features.twins import MOST_ALIKE, NUMBER

SPANS = ((120, 1, "seconds"), (7_200, 60, "minutes"), (172_800, 3_600, "hours"), (None, 86_400, "days"))


def twin_words(pairs: Any) -> Any:
    """The sentence of the pair that decided an order.

    Reads twin, usable, free_roots, alike, borne_out, evidence, products, seconds_apart, source, and customer_id,
    location_id, net_amount and cancelled of both ends.
    """
    numbered = pairs.evidence == NUMBER
    return ibis.cases(
        (pairs.twin & numbered, _by_number(pairs)),
        (pairs.twin, _by_basket(pairs)),
        else_="left as it is: " + _left(pairs, numbered),
    )


def _by_basket(pairs: Any) -> Any:
    what = ibis.cases((pairs.products == 1, "1 product"), else_=pairs.products.cast("string") + " products")
    return (
        "same customer, shop " + pairs.location_id + ", " + what + ", " + _money(pairs.net_amount) + ", "
        + _apart(pairs.seconds_apart)
    )  # fmt: skip


def _by_number(pairs: Any) -> Any:
    equal = (pairs.net_amount == pairs.candidate_net_amount).coalesce(False)
    amounts = ibis.cases(
        (equal, _money(pairs.net_amount)),
        else_=_money(pairs.net_amount) + " in " + pairs.source + " and " + _money(pairs.candidate_net_amount)
        + " in " + pairs.candidate_source,
    )  # fmt: skip
    cancelled = ibis.cases((pairs.cancelled & ~pairs.candidate_cancelled, ", cancelled in " + pairs.source), else_="")
    return "same order number, " + amounts + ", " + _apart(pairs.seconds_apart) + cancelled


def _left(pairs: Any, numbered: Any) -> Any:
    other = pairs.candidate_order_id
    return ibis.cases(
        (pairs.free_roots > 1, pairs.free_roots.cast("string") + " earlier orders fit, " + other + " is the first"),
        (pairs.usable, other + " belongs to an earlier order of " + pairs.source),
        (pairs.alike > MOST_ALIKE, pairs.alike.cast("string") + " earlier orders are alike, " + other
         + " is the first"),
        (pairs.candidate_cancelled & ~pairs.cancelled, other + " of the same number was cancelled"),
        (numbered, other + " has the same number, but customer, location and amount are others"),
        else_=other + " is told from it by its number",
    )  # fmt: skip


def _money(amount: Any) -> Any:
    return amount.cast("decimal(18, 2)").cast("string").coalesce("an unknown amount")


def _apart(seconds: Any) -> Any:
    words = [((seconds / size).floor().cast("int64").cast("string") + f" {unit} apart", below)
             for below, size, unit in SPANS]  # fmt: skip
    return ibis.cases(*((seconds < below, text) for text, below in words if below), else_=words[-1][0])
