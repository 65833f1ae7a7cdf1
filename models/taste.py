"""What a customer buys of each category, and what new buyers take up of late: where exploration begins."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.history import Float, Int, Purchases
from features.own import Own

PARENT_WEIGHT, ANY_WEIGHT = 0.05, 0.003  # of the wider category's orders, and of a product of any category


@dataclass(frozen=True)
class Categories:
    """The two narrowest categories of each product, int32 [products], -1 where unknown, and how many there are."""

    finest: Int
    parent: Int
    finest_count: int
    parent_count: int

    @classmethod
    def of(cls, purchases: Purchases) -> Self:
        levels = purchases.catalog.category
        unknown = np.full(len(purchases.products), -1, np.int32)
        finest, parent = (levels[:, -level] if levels.shape[1] >= level else unknown for level in (1, 2))
        return cls(finest, parent, int(finest.max(initial=-1)) + 1, int(parent.max(initial=-1)) + 1)


@dataclass(frozen=True)
class Taste:
    """Decayed orders that hold each category ÷ decayed orders, of the customers asked for.

    `finest` and `parent` are float32 [asked, categories + 1]; the last column serves products without a category.
    """

    categories: Categories
    finest: Float
    parent: Float

    def interest(self, position: Int, product: Int) -> Float:
        """How much a customer buys of a product's categories, float32 [entries]; never quite zero."""
        finest = self.finest[position, self.categories.finest[product]]
        parent = self.parent[position, self.categories.parent[product]]
        return np.asarray(finest + PARENT_WEIGHT * parent + ANY_WEIGHT, np.float32)


def category_shares(own: Own, orders: Float, count: int, span: int) -> Float:
    """Decayed orders with each of `count` categories ÷ `orders`, float32 [asked, count + 1]; `span` picks the decay."""
    table = np.zeros((len(orders), count + 1), np.float32)
    table[own.position, own.thing] = own.decayed[:, span] / orders[own.position]
    return table
