"""Weights from products to products, as sparse rows that are saved as plain arrays."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp

from features.customers import Long
from features.history import Float, Int


@dataclass(frozen=True)
class Weights:
    """What product p says of others: entries start[p] … start[p + 1] - 1, sorted by the other's code."""

    start: Long
    other: Int
    weight: Float

    @classmethod
    def of(cls, blocks: Iterable[sp.csr_matrix], chosen: Int, products: int) -> Self:
        """Rows of some products, in order, whose columns are those same products: `chosen` are their codes, sorted."""
        parts = list(blocks)
        sizes = np.zeros(products, np.int64)
        if not parts:
            return cls(np.zeros(products + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        rows = sp.vstack(parts).tocsr()
        sizes[chosen] = np.diff(rows.indptr)
        return cls(np.append(0, np.cumsum(sizes)), chosen[rows.indices], rows.data.astype(np.float32))

    def plus(self, more: sp.csr_matrix) -> Self:
        """These weights and more, [products, products]."""
        both = (self.matrix + more).tocsr()
        both.eliminate_zeros()
        both.sort_indices()
        return type(self)(both.indptr.astype(np.int64), both.indices.astype(np.int32), both.data.astype(np.float32))

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """Products × products."""
        shape = (len(self.start) - 1, len(self.start) - 1)
        return sp.csr_matrix((self.weight, self.other, self.start), shape=shape)
