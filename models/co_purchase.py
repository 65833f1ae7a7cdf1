"""Which products share baskets: the most similar products of each product, counted over all orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from features.customers import Long, decay
from features.history import Float, Int, Purchases, day_number

LEAST_ORDERS = 5  # of a product, to have neighbours or to be one
LEAST_TOGETHER = 2
NEIGHBOURS = 60
PRIOR_TOGETHER = 4.0  # two products seen together so often count half their cosine
BLOCK_PAIRS = 6_000_000


@dataclass(frozen=True)
class CoPurchase:
    """Neighbours of product p are entries start[p] … start[p + 1] - 1, the most similar first.

    similarity  float32, cosine of the decayed order weights, shrunk where few orders hold both
    together    int32, orders so far that hold both products
    orders      int32 [products], orders so far that hold the product
    """

    start: Long
    neighbour: Int
    similarity: Float
    together: Int
    orders: Int

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """Similarities, products × products."""
        shape = (len(self.orders), len(self.orders))
        return sp.csr_matrix((self.similarity, self.neighbour, self.start), shape=shape)


def count_together(purchases: Purchases, half_life_days: float) -> CoPurchase:
    """Multiply orders × products with itself, a bounded block of products at a time, and keep the best neighbours."""
    products = len(purchases.products)
    orders = np.bincount(purchases.product, minlength=products).astype(np.int32)
    rows = np.flatnonzero(orders[purchases.product] >= LEAST_ORDERS)
    order, product = purchases.order[rows], purchases.product[rows]
    weight = decay(purchases.day[rows], day_number(purchases.as_of), half_life_days).astype(np.float32)
    shape = (int(order.max(initial=-1)) + 1, products)
    # Count and weight travel as the two parts of a complex number, so that one product serves both.
    lines = sp.csr_matrix((1 + 1j * weight.astype(np.complex64), (order, product)), shape=shape)
    held = sp.csr_matrix((np.ones(len(rows), np.float32), (product, order)), shape=shape[::-1])
    norm = np.sqrt(np.bincount(product, weight, minlength=products))
    parts = [_best_of_block(held, lines, norm, begin, end) for begin, end in _blocks(held, lines)]
    row, neighbour, similarity, together = (np.concatenate(column) for column in zip(*parts, strict=True))
    start = np.searchsorted(row, np.arange(products + 1)).astype(np.int64)
    return CoPurchase(start, neighbour, similarity, together, orders)


def _blocks(held: sp.csr_matrix, lines: sp.csr_matrix) -> Iterator[tuple[int, int]]:
    """Ranges of products whose baskets hold about BLOCK_PAIRS other lines together."""
    pairs = np.cumsum(held @ np.diff(lines.indptr).astype(np.float64))
    edges = [0]
    while edges[-1] < len(pairs):
        done = pairs[edges[-1] - 1] if edges[-1] else 0.0
        edges.append(max(int(np.searchsorted(pairs, done + BLOCK_PAIRS, side="right")), edges[-1] + 1))
    yield from pairwise(edges)


def _best_of_block(
    held: sp.csr_matrix, lines: sp.csr_matrix, norm: npt.NDArray[np.float64], begin: int, end: int
) -> tuple[Int, Int, Float, Int]:
    """The neighbours of products begin … end - 1: columns product, neighbour, similarity, together."""
    together = held[begin:end] @ lines
    row = np.repeat(np.arange(begin, end, dtype=np.int32), np.diff(together.indptr))
    other, count = together.indices.astype(np.int32), together.data.real
    keep = (count >= LEAST_TOGETHER) & (row != other)
    row, other, count, shared = row[keep], other[keep], count[keep], together.data.imag[keep]
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.nan_to_num(shared / (norm[row] * norm[other]))
    similarity = (cosine * count / (count + PRIOR_TOGETHER)).astype(np.float32)
    best = np.lexsort((other, -similarity, row))
    row, other, similarity, count = row[best], other[best], similarity[best], count[best]
    rank = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    top = rank < NEIGHBOURS
    return row[top], other[top], similarity[top], count[top].astype(np.int32)
