"""What is known of each customer, and of each customer and product, at the end of a day.

One code for training, batch and live answers. Everything is an array; customers are never looped over.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from features.history import UNKNOWN, Float, Int, Purchases, day_number

Long = npt.NDArray[np.int64]
BLOCK_ROWS = 8_000_000
EVERY = slice(None)


@dataclass(frozen=True)
class Customers:
    """One entry per customer code.

    baskets         int32, orders so far
    decayed_baskets float32, orders so far, each halved every `half_life_days` of age
    lines           int32, purchases (order × product) so far
    first_day       int32, day number of the first order; likewise last_day
    days            int32, number of different days with an order
    home_location   int32, where its orders weigh most, age decayed
    home_channel    int32, likewise
    """

    baskets: Int
    decayed_baskets: Float
    lines: Int
    first_day: Int
    last_day: Int
    days: Int
    home_location: Int
    home_channel: Int

    def mean_gap(self, customer: Int | slice = EVERY) -> Float:
        """Mean days between two days with an order; NaN below two such days."""
        return _mean_gap(self.first_day[customer], self.last_day[customer], self.days[customer])


@dataclass(frozen=True)
class Owned:
    """One entry per customer and product it has bought, sorted by customer, then product.

    `start` is int64 [customers + 1]: entries of customer c are start[c] … start[c + 1] - 1.

    baskets     int32, orders that hold the product
    decayed     float32, those orders, each halved every `half_life_days` of age
    recent      float32, likewise at a quarter of the half-life
    units       float32, units bought
    first_day   int32, day number of the first purchase; likewise last_day
    days        int32, number of different days with a purchase
    gap_squares float32, sum of the squared days between consecutive such days
    orders_since int32, orders of the customer after its last one with the product
    """

    products: int
    half_life_days: float
    as_of_day: int
    start: Long
    product: Int
    baskets: Int
    decayed: Float
    recent: Float
    units: Float
    first_day: Int
    last_day: Int
    days: Int
    gap_squares: Float
    orders_since: Int

    def __len__(self) -> int:
        return len(self.product)

    def entries(self, customer: Int) -> tuple[Int, Long]:
        """Every entry of the customers asked for: the position in `customer`, and the entry; unknown (-1) has none."""
        return spread(self.start, customer)

    @cached_property
    def customer(self) -> Int:
        """Customer code of each entry."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.int32), np.diff(self.start))

    def find(self, customer: Int, product: Int) -> Long:
        """The entry of each (customer, product) pair, -1 where it was never bought."""
        if not len(self):
            return np.full(len(customer), UNKNOWN, np.int64)
        known = np.maximum(customer, 0)
        low, high = self.start[known].copy(), self.start[known + 1].copy()
        end = high.copy()
        while (low < high).any():
            middle = (low + high) // 2
            below = (low < high) & (self.product[np.minimum(middle, len(self) - 1)] < product)
            high = np.where(below | (low >= high), high, middle)
            low = np.where(below, middle + 1, low)
        inside = (customer >= 0) & (low < end)
        return np.where(inside & (self.product[np.minimum(low, len(self) - 1)] == product), low, UNKNOWN)

    def mean_gap(self, entry: Long | slice = EVERY) -> Float:
        """Mean days between two days with a purchase of the product; NaN below two such days."""
        return _mean_gap(self.first_day[entry], self.last_day[entry], self.days[entry])

    def gap_spread(self, entry: Long | slice = EVERY) -> Float:
        """Standard deviation of the gaps in days; NaN below three days with a purchase."""
        gaps = self.days[entry] - 1.0
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self.gap_squares[entry] / gaps - np.square(self.mean_gap(entry).astype(np.float64))
            return np.where(gaps >= 2, np.sqrt(np.maximum(variance, 0)), np.nan).astype(np.float32)


def spread(start: Long, rows: Int) -> tuple[Int, Long]:
    """Positions of compressed rows: for each of `rows` every entry start[row] … start[row + 1] - 1; -1 has none."""
    known = np.maximum(rows, 0)
    if len(start) < 2:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    counts = np.where(rows >= 0, start[known + 1] - start[known], 0)
    position = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
    before = np.cumsum(counts) - counts
    return position, np.arange(counts.sum(), dtype=np.int64) + np.repeat(start[known] - before, counts)


def _mean_gap(first: Int, last: Int, days: Int) -> Float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(days > 1, (last - first) / (days - 1.0), np.nan).astype(np.float32)


def customers_of(purchases: Purchases, half_life_days: float) -> Customers:
    """Statistics per customer; computed once per history and half-life."""
    kept: Customers = _kept(
        purchases, ("customers", half_life_days), lambda: _count_customers(purchases, half_life_days)
    )
    return kept


def owned_of(purchases: Purchases, half_life_days: float) -> Owned:
    """Statistics per customer and product; computed once per history and half-life."""
    kept: Owned = _kept(purchases, ("owned", half_life_days), lambda: _count_owned(purchases, half_life_days))
    return kept


def keep_statistics(purchases: Purchases, customers: Customers, owned: Owned) -> None:
    """Let `customers_of` and `owned_of` answer with statistics that were saved beside the purchases."""
    _kept(purchases, ("customers", owned.half_life_days), lambda: customers)
    _kept(purchases, ("owned", owned.half_life_days), lambda: owned)


def _kept(purchases: Purchases, key: tuple[str, float], compute: Any) -> Any:
    """Keep what was computed from a history beside it, as cached_property does."""
    known = vars(purchases).setdefault("_statistics", {})
    if key not in known:
        known[key] = compute()
    return known[key]


def decay(day: Int, as_of_day: int, half_life_days: float) -> npt.NDArray[np.float64]:
    """Weight of something that happened on `day`: 1 on as_of, halved every `half_life_days` before."""
    weight: npt.NDArray[np.float64] = np.exp2((day.astype(np.float64) - as_of_day) / half_life_days)
    return weight


def _count_customers(purchases: Purchases, half_life_days: float) -> Customers:
    begin = int(np.searchsorted(purchases.customer, 0))
    count = len(purchases.customers)
    customer, day, order = purchases.customer[begin:], purchases.day[begin:], purchases.order[begin:]
    head = _changes(customer, order)
    who, when = customer[head], day[head]
    weight = decay(when, day_number(purchases.as_of), half_life_days)
    new_day = _changes(who, when)
    bounds = np.searchsorted(customer, np.arange(count + 1))
    lines = np.diff(bounds)
    home = [_heaviest(who, codes[begin:][head], weight, count) for codes in (purchases.location, purchases.channel)]
    return Customers(
        baskets=np.bincount(who, minlength=count).astype(np.int32),
        decayed_baskets=np.bincount(who, weight, minlength=count).astype(np.float32),
        lines=lines.astype(np.int32),
        first_day=day[bounds[:-1]] if count else np.empty(0, np.int32),
        last_day=day[bounds[1:] - 1] if count else np.empty(0, np.int32),
        days=np.bincount(who[new_day], minlength=count).astype(np.int32),
        home_location=home[0],
        home_channel=home[1],
    )


def _changes(*columns: Int) -> npt.NDArray[np.bool_]:
    """True where a row differs from the row before it in any column; the first row is always True."""
    changed = np.zeros(len(columns[0]), bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def _heaviest(who: Int, code: Int, weight: npt.NDArray[np.float64], count: int) -> Int:
    """Per customer the code with the greatest total weight, the smallest code among equals; -1 where none is known."""
    best = np.full(count, UNKNOWN, np.int32)
    known = code >= 0
    who, code, weight = who[known], code[known], weight[known]
    if not len(who):
        return best
    pair = np.lexsort((code, who))
    head = np.flatnonzero(_changes(who[pair], code[pair]))
    total = np.add.reduceat(weight[pair], head)
    order = np.lexsort((-code[pair][head], total, who[pair][head]))
    best[who[pair][head][order]] = code[pair][head][order]  # the last assignment per customer stands
    return best


def _count_owned(purchases: Purchases, half_life_days: float) -> Owned:
    bounds = customer_blocks(purchases)
    blocks = [_count_block(purchases, low, high, half_life_days) for low, high in bounds]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    customer = columns.pop("customer")
    start = np.searchsorted(customer, np.arange(len(purchases.customers) + 1)).astype(np.int64)
    return Owned(len(purchases.products), half_life_days, day_number(purchases.as_of), start, **columns)


def customer_blocks(purchases: Purchases) -> list[tuple[int, int]]:
    """Ranges of about BLOCK_ROWS rows that never split a known customer; at least one, so that no rows work too."""
    customer = purchases.customer
    begin = int(np.searchsorted(customer, 0))
    edges = [begin]
    while edges[-1] < len(customer):
        last = customer[min(edges[-1] + BLOCK_ROWS, len(customer)) - 1]
        edges.append(int(np.searchsorted(customer, last, side="right")))
    return list(pairwise(edges)) or [(begin, begin)]


def _count_block(purchases: Purchases, low: int, high: int, half_life_days: float) -> dict[str, npt.NDArray[Any]]:
    as_of_day = day_number(purchases.as_of)
    customer, product = purchases.customer[low:high], purchases.product[low:high]
    number = np.cumsum(_changes(customer, purchases.order[low:high]))  # of the order within the block
    order = np.argsort(customer.astype(np.int64) * len(purchases.products) + product, kind="stable")
    customer, product, day, number = customer[order], product[order], purchases.day[low:high][order], number[order]
    head = np.flatnonzero(_changes(customer, product))
    last = np.append(head[1:], len(customer))[: len(head)] - 1
    total = _last_order(purchases.customer[low:high], customer, purchases.order[low:high])
    gap = np.diff(day, prepend=day[:1]).astype(np.int64)
    gap[head] = 0
    new_day = gap > 0
    new_day[head] = True

    def sums(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.add.reduceat(values, head) if len(head) else values[:0]

    return {
        "customer": customer[head],
        "product": product[head],
        "baskets": (last - head + 1).astype(np.int32),
        "decayed": sums(decay(day, as_of_day, half_life_days)).astype(np.float32),
        "recent": sums(decay(day, as_of_day, half_life_days / 4)).astype(np.float32),
        "units": sums(purchases.units[low:high][order].astype(np.float64)).astype(np.float32),
        "first_day": day[head],
        "last_day": day[last],
        "days": sums(new_day.astype(np.int64)).astype(np.int32),
        "gap_squares": sums(np.square(gap)).astype(np.float32),
        "orders_since": (total[last] - number[last]).astype(np.int32),
    }


def _last_order(rows_customer: Int, customer: Int, order: Int) -> Long:
    """For each entry of `customer` the number, within the block, of that customer's last order."""
    numbers = np.cumsum(_changes(rows_customer, order))
    end = np.searchsorted(rows_customer, customer, side="right") - 1
    return np.asarray(numbers[end], np.int64) if len(numbers) else np.empty(0, np.int64)
