"""What the customers asked about bought themselves, counted from their own lines: by product, category or brand.

One code for training, batch and live answers: a line that was appended a moment ago counts like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.customers import Long, decay
from features.history import UNKNOWN, Float, Int, Purchases, day_number

Numbers = npt.NDArray[np.float64]

RECENT_ORDERS = (3, 8)  # a customer's last orders in which a thing is looked for


@dataclass(frozen=True)
class Lines:
    """The lines of the customers asked for, oldest first within each.

    position  int32, place of the customer among the `asked` ones
    row       int64, row of the history
    """

    purchases: Purchases
    asked: int
    position: Int
    row: Long

    @cached_property
    def day(self) -> Int:
        return self.purchases.day[self.row]

    @cached_property
    def product(self) -> Int:
        return self.purchases.product[self.row]

    def decays(self, half_life_days: float) -> npt.NDArray[np.float64]:
        """Weight of each line by its age, 1 today."""
        if half_life_days not in self._decays:
            self._decays[half_life_days] = decay(self.day, day_number(self.purchases.as_of), half_life_days)
        return self._decays[half_life_days]

    @cached_property
    def _decays(self) -> dict[float, npt.NDArray[np.float64]]:
        return {}

    @cached_property
    def orders_after(self) -> Int:
        """Orders of the same customer after the line's own, int32 [lines]: 0 in the last one."""
        position, order = self.position, self.purchases.order[self.row]
        new = np.ones(len(position), bool)
        new[1:] = (position[1:] != position[:-1]) | (order[1:] != order[:-1])
        number = np.cumsum(new)
        last = number[np.searchsorted(position, position, side="right") - 1] if len(position) else number
        return np.asarray(last - number, np.int32)


def lines_of(purchases: Purchases, customer: Int) -> Lines:
    """Find the lines of customers by code; an unknown one (-1) has none.

    Lines are sorted by customer, so that they are found by bisection and nothing is kept per customer.
    """
    low = np.searchsorted(purchases.customer, customer, side="left")
    high = np.searchsorted(purchases.customer, customer, side="right")
    counts = np.where(customer >= 0, high - low, 0)
    position = np.repeat(np.arange(len(customer), dtype=np.int32), counts)
    before = np.cumsum(counts) - counts
    row = np.arange(counts.sum(), dtype=np.int64) + np.repeat(low - before, counts)
    return Lines(purchases, len(customer), position, row)


@dataclass(frozen=True)
class Own:
    """One entry per customer asked for and thing it bought, sorted by position, then thing.

    baskets      orders with the thing; `lines` counts its lines; `days` different days with it
    decayed      float32 [entries, half-lives]: orders with it, each halved every half-life of age
    first_day    day number of the first purchase; `last_day` of the last
    last_gap     days between the last two days with it, NaN below two
    gap_spread   standard deviation of those gaps, NaN below two gaps
    orders_after orders of the customer after the last one with it; `orders_known` orders since the first with it
    in_recent    int32 [entries, RECENT_ORDERS]: in how many of the customer's last so many orders it was
    """

    things: int
    key: Long
    position: Int
    thing: Int
    baskets: Int
    lines: Int
    days: Int
    decayed: Float
    units: Float
    amount: Float
    first_day: Int
    last_day: Int
    last_gap: Float
    gap_spread: Float
    orders_after: Int
    orders_known: Int
    in_recent: Int

    def __len__(self) -> int:
        return len(self.key)

    def find(self, position: Int, thing: Int) -> Long:
        """The entry of each (position, thing), -1 where there is none; a thing of -1 has none."""
        if not len(self):
            return np.full(len(position), UNKNOWN, np.int64)
        asked = position.astype(np.int64) * self.things + thing
        at = np.minimum(np.searchsorted(self.key, asked), len(self) - 1)
        return np.where((self.key[at] == asked) & (thing >= 0), at, UNKNOWN)

    @property
    def mean_gap(self) -> Float:
        """Mean days between two days with the thing; NaN below two such days."""
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = (self.last_day - self.first_day) / (self.days - 1.0)
        return np.where(self.days > 1, gap, np.nan).astype(np.float32)


def own_things(lines: Lines, thing_of: Int, things: int, half_lives_days: Sequence[float]) -> Own:
    """Count what was bought of each thing; `thing_of` is int32 [products], -1 for products that are none."""
    thing = thing_of[lines.product]
    known = np.flatnonzero(thing >= 0)
    key = lines.position[known].astype(np.int64) * things + thing[known]
    order = np.argsort(key, kind="stable")
    key, at = key[order], known[order]
    rows, history = lines.row[at], lines.purchases
    head = np.flatnonzero(_changed(key))
    tail = np.append(head[1:], len(key))[: len(head)] - 1
    day, after = lines.day[at], lines.orders_after[at]
    new_order, gap = _changed(history.order[rows]), np.zeros(len(key), np.int64)
    gap[1:] = np.diff(day)
    new_order[head], gap[head] = True, 0
    kinds = len(half_lives_days)
    columns = np.empty((len(key), kinds + len(RECENT_ORDERS) + 6), np.float64)
    columns[:, :kinds] = np.stack([lines.decays(days)[at] * new_order for days in half_lives_days], axis=1)
    columns[:, kinds], columns[:, kinds + 1] = new_order, gap > 0
    columns[:, kinds + 2], columns[:, kinds + 3] = gap, np.square(gap)
    columns[:, kinds + 4], columns[:, kinds + 5] = history.units[rows], history.amount[rows]
    for number, many in enumerate(RECENT_ORDERS):
        columns[:, kinds + 6 + number] = new_order & (after < many)
    total = np.add.reduceat(columns, head, axis=0) if len(head) else columns
    gaps = total[:, kinds + 1]
    return Own(
        things=things,
        key=key[head],
        position=(key[head] // things).astype(np.int32),
        thing=(key[head] % things).astype(np.int32),
        baskets=total[:, kinds].astype(np.int32),
        lines=(tail - head + 1).astype(np.int32),
        days=(gaps + 1).astype(np.int32),
        decayed=total[:, :kinds].astype(np.float32),
        units=total[:, kinds + 4].astype(np.float32),
        amount=total[:, kinds + 5].astype(np.float32),
        first_day=day[head],
        last_day=day[tail],
        last_gap=_last_gaps(gap, head, tail),
        gap_spread=_spreads(gaps, total[:, kinds + 2], total[:, kinds + 3]),
        orders_after=after[tail],
        orders_known=after[head] + 1,
        in_recent=total[:, kinds + 6 :].astype(np.int32),
    )


def _changed(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """True where a value differs from the one before it; the first is always True."""
    changed = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed


def _last_gaps(gap: Long, head: Long, tail: Long) -> Float:
    """The last gap above zero of each entry, NaN where it has none."""
    if not len(head):
        return np.empty(0, np.float32)
    last = np.maximum.accumulate(np.where(gap > 0, np.arange(len(gap)), -1))[tail]
    return np.where(last >= head, gap[np.maximum(last, 0)], np.nan).astype(np.float32)


def _spreads(count: Numbers, total: Numbers, squares: Numbers) -> Float:
    """Standard deviation from sums over gaps; NaN below two."""
    some = np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares / some - np.square(total / some), 0))
    return np.where(count > 1, spread, np.nan).astype(np.float32)
