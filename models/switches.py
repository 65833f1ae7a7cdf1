"""Switches: what known customers took instead of a product when they came back to its category."""

from dataclasses import dataclass

import numpy as np

from features.customers import Long, spread
from features.history import Int, Purchases
from models.contracts import Bools
from models.ranking import pairs

MOST_PAIRS = 400  # of one return: a customer that buys much more says nothing of single products


@dataclass(frozen=True)
class Switches:
    """One entry per return of a customer to a finest category, product left behind and product newly taken.

    On the customer's day with the category before, `left` was bought and `taken` was not; on `day` it was the other
    way round. `pairs` is the number of entries of the same return. All int32.
    """

    customer: Int
    left: Int
    taken: Int
    day: Int
    location: Int
    pairs: Int

    def __len__(self) -> int:
        return len(self.left)


def find_switches(purchases: Purchases, after_day: int = -1) -> Switches:
    """Every switch whose return is later than `after_day`; returns with more than MOST_PAIRS entries are left out."""
    row, start, returned = _visits(purchases)
    visit = np.flatnonzero(returned)
    visit = visit[purchases.day[row[start[visit]]] > after_day]
    products = len(purchases.products)
    before, now = (spread(start, np.asarray(at, np.int32)) for at in (visit - 1, visit))
    left, taken = (pairs(which, purchases.product[row[at]], products) for which, at in (before, now))
    stayed = np.intersect1d(left, taken)
    left, taken = np.setdiff1d(left, stayed), np.setdiff1d(taken, stayed)
    begin = np.searchsorted(taken, np.arange(len(visit) + 1, dtype=np.int64) * products).astype(np.int64)
    of_left, at = spread(begin, np.asarray(left // products, np.int32))
    which = left[of_left] // products
    count = np.bincount(which, minlength=len(visit))[which]
    keep = np.flatnonzero(count <= MOST_PAIRS)
    first = row[start[visit[which[keep]]]]
    return Switches(
        customer=purchases.customer[first],
        left=(left[of_left[keep]] % products).astype(np.int32),
        taken=(taken[at[keep]] % products).astype(np.int32),
        day=purchases.day[first],
        location=purchases.location[first],
        pairs=count[keep].astype(np.int32),
    )


def _visits(purchases: Purchases) -> tuple[Long, Long, Bools]:
    """Rows of known customers by customer, category and day; where each visit starts; and whether it is a return."""
    category = purchases.catalog.finest[purchases.product]
    row = np.flatnonzero((purchases.customer >= 0) & (category >= 0))
    group = pairs(purchases.customer[row], category[row], int(category.max(initial=-1)) + 1)
    order = np.lexsort((purchases.day[row], group))
    row, group = row[order], group[order]
    day = purchases.day[row]
    head = np.ones(len(row), bool)
    head[1:] = (group[1:] != group[:-1]) | (day[1:] != day[:-1])
    first = np.flatnonzero(head)
    returned = np.zeros(len(first), bool)
    returned[1:] = group[first[1:]] == group[first[:-1]]
    return row, np.append(first, len(row)).astype(np.int64), returned
