"""What the products of a basket say of others: links counted from shared orders, summed and compared per query."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.customers import Long, spread
from features.history import Float, Int
from models.co_purchase import CoPurchase
from models.contracts import Queries
from models.ranking import flat, pairs


@dataclass(frozen=True)
class BasketLinks:
    """One entry per query and product linked to its basket, sorted by query, then product; float32 [entries] each.

    total      sum of the similarities to the basket's products; `greatest` the highest of them
    count      products of the basket that are linked
    lift       the highest logarithm of how many times more often than by chance two products share orders
    together   the most orders so far that hold both the product and one of the basket
    """

    products: int
    key: Long
    total: Float
    greatest: Float
    count: Float
    lift: Float
    together: Float

    @classmethod
    def of(cls, shared: CoPurchase, queries: Queries, orders: int) -> Self:
        """`orders` is the number of orders that `shared` was counted from."""
        products = len(shared.orders)
        position, seed = flat(queries.basket)
        which, at = spread(shared.start, seed)
        key = pairs(position[which], shared.neighbour[at], products)
        order = np.argsort(key, kind="stable")
        key, which, at = key[order], which[order], at[order]
        head = np.flatnonzero(np.diff(key, prepend=-1))
        together = shared.together[at].astype(np.float64)
        chance = shared.orders[seed[which]].astype(np.float64) * shared.orders[shared.neighbour[at]]
        similarity = shared.similarity[at].astype(np.float64)
        columns = (
            (np.add, similarity), (np.maximum, similarity), (np.add, np.ones(len(key))),
            (np.maximum, np.log(together * orders / np.maximum(chance, 1))), (np.maximum, together),
        )  # fmt: skip
        reduced = [method.reduceat(values, head) if len(head) else np.empty(0) for method, values in columns]
        return cls(products, key[head], *(column.astype(np.float32) for column in reduced))

    @property
    def query(self) -> Int:
        return (self.key // self.products).astype(np.int32)

    @property
    def product(self) -> Int:
        return (self.key % self.products).astype(np.int32)

    def find(self, query: Int, product: Int) -> Long:
        """The entry of each (query, product), -1 where the basket says nothing of it."""
        if not len(self.key):
            return np.full(len(query), -1, np.int64)
        asked = pairs(query, product, self.products)
        at = np.minimum(np.searchsorted(self.key, asked), len(self.key) - 1)
        return np.where(self.key[at] == asked, at, -1)
