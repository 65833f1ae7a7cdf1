"""Reference customers: a bounded sample of profiles among which the nearest of any customer are sought."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp

from features.customers import customers_of
from features.history import Float, Int, Purchases
from models.evidence import top_of_rows
from models.profiles import squared_lengths

REFERENCES = 4000  # customers, those with the most orders of late
PROFILE = 300  # products of a reference customer, the heaviest: 1000 take longer and rank no better


@dataclass(frozen=True)
class References:
    """Profiles of reference customers as compressed rows: row r is that of customer code customer[r]."""

    customer: Int
    start: Int
    product: Int
    weight: Float
    products: int

    @classmethod
    def of(cls, customer: Int, rows: sp.csr_matrix) -> Self:
        rows = top_of_rows(rows, PROFILE)
        return cls(customer, rows.indptr.astype(np.int32), rows.indices, rows.data, rows.shape[1])

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """Reference customers × products."""
        shape = (len(self.customer), self.products)
        return sp.csr_matrix((self.weight, self.product, self.start), shape=shape)

    @cached_property
    def columns(self) -> sp.csr_matrix:
        """Products × reference customers."""
        return self.matrix.T.tocsr()

    @cached_property
    def squares(self) -> Float:
        """Squared length of each profile."""
        lengths: Float = squared_lengths(self.matrix)
        return lengths

    def alike(self, rows: sp.csr_matrix) -> Float:
        """Inner products of profiles with every reference customer's, float32 [rows, references]."""
        return np.asarray((rows @ self.columns).toarray(), np.float32)


def busiest_customers(purchases: Purchases, half_life_days: float, count: int = REFERENCES) -> Int:
    """Codes of the `count` customers with the most orders of late, sorted."""
    baskets = customers_of(purchases, half_life_days).decayed_baskets
    order = np.lexsort((np.arange(len(baskets)), -baskets))
    return np.sort(order[:count]).astype(np.int32)


def nearest(closeness: Float, count: int) -> sp.csr_matrix:
    """The `count` greatest entries above zero of each row (and those equal to the last), as sparse rows."""
    count = min(count, closeness.shape[1])
    place = closeness.shape[1] - count
    least = np.partition(closeness, place, axis=1)[:, place] if count else np.full(len(closeness), np.inf)
    row, column = np.nonzero((closeness >= least[:, None]) & (closeness > 0))
    start = np.searchsorted(row, np.arange(len(closeness) + 1))
    return sp.csr_matrix((closeness[row, column], column, start), shape=closeness.shape)
