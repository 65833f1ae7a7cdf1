"""What customers bought as sparse rows, summed from the history's lines for whoever is asked about."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from features.customers import Long, decay
from features.history import Float, Int, Purchases, day_number
from features.own import Lines, lines_of

Numbers = npt.NDArray[np.float64]
Weigh = Callable[[Purchases, Int, Long], Numbers]


def profiles(purchases: Purchases, customer: Int, weigh: Weigh) -> sp.csr_matrix:
    """Sum of line weights per customer asked for and product, float32 [len(customer), products], indices sorted.

    Sums of 0 are left out.
    `weigh` is given the purchases, and positions and rows as `lines_of` gives them; it returns a weight per line.
    """
    lines = lines_of(purchases, customer)
    position, line = lines.position, lines.row
    weight = weigh(purchases, position, line)
    products = len(purchases.products)
    key = position.astype(np.int64) * products + purchases.product[line]
    order = np.argsort(key, kind="stable")
    key = key[order]
    head = np.flatnonzero(np.diff(key, prepend=-1))
    total = (np.add.reduceat(weight[order], head) if len(head) else np.empty(0)).astype(np.float32)
    pair, total = key[head][total > 0], total[total > 0]
    start = np.searchsorted(pair, np.arange(len(customer) + 1, dtype=np.int64) * products)
    return sp.csr_matrix((total, (pair % products).astype(np.int32), start), shape=(len(customer), products))


def decayed(half_life_days: float) -> Weigh:
    """Weight of a line by its age: 1 today, halved every `half_life_days`."""

    def weigh(purchases: Purchases, position: Int, line: Long) -> Numbers:
        return decay(purchases.day[line], day_number(purchases.as_of), half_life_days)

    return weigh


def orders_from_last(purchases: Purchases, position: Int, line: Long) -> Int:
    """Of each line how many orders of its customer came after its own: 0 in the last order."""
    return Lines(purchases, int(position.max(initial=-1)) + 1, position, line).orders_after


def order_counts(purchases: Purchases, position: Int, line: Long, customers: int) -> Int:
    """Orders of each of the customers asked for, int32 [customers]."""
    counts = np.zeros(customers, np.int32)
    since = orders_from_last(purchases, position, line)
    np.maximum.at(counts, position, since + 1)
    return counts


def squared_lengths(rows: sp.csr_matrix) -> Float:
    """Squared length of each row."""
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(row, np.square(rows.data, dtype=np.float64), minlength=rows.shape[0]).astype(np.float32)


def unit_rows(rows: sp.csr_matrix) -> sp.csr_matrix:
    """The same rows at length 1; an empty row stays empty."""
    length = np.sqrt(np.maximum(squared_lengths(rows), np.float32(1e-30)))
    data = rows.data / np.repeat(length, np.diff(rows.indptr))
    return sp.csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)


def square_roots(rows: sp.csr_matrix) -> sp.csr_matrix:
    """The same rows with the square root of each entry."""
    return sp.csr_matrix((np.sqrt(rows.data), rows.indices, rows.indptr), shape=rows.shape)
