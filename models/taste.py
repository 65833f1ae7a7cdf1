"""How much each customer buys of each category, and what new buyers take up: where exploration begins."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.customers import Owned
from features.history import Float, Int, Purchases, day_number
from features.own import Lines, own_things

LATELY_DAYS = 28
PRIOR_BUYERS = 0.3  # first buyers of a product that had none lately
PARENT_WEIGHT, ANY_WEIGHT = 0.05, 0.003  # of an order in the wider category, and of none at all


@dataclass(frozen=True)
class Categories:
    """The two narrowest categories of each product, int32 [products]; -1 where unknown."""

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


def first_buyers(owned: Owned) -> Float:
    """How many customers bought each product for the first time in the last LATELY_DAYS, float32 [products]."""
    lately = owned.first_day > owned.as_of_day - LATELY_DAYS
    return np.bincount(owned.product[lately], minlength=owned.products).astype(np.float32)


@dataclass(frozen=True)
class Taste:
    """Orders of each customer asked for that hold each category, decayed, per decayed order.

    `finest` and `parent` are float32 [asked, categories + 1]; the last column serves products without a category.
    """

    categories: Categories
    finest: Float
    parent: Float

    @classmethod
    def of(cls, lines: Lines, categories: Categories, half_life_days: float) -> Self:
        orders = _decayed_orders(lines, half_life_days)
        dense = []
        for codes, count in ((categories.finest, categories.finest_count), (categories.parent, categories.parent_count)):
            own = own_things(lines, codes, max(count, 1), [half_life_days])
            table = np.zeros((lines.asked, count + 1), np.float32)
            table[own.position, own.thing] = own.decayed[:, 0] / orders[own.position]
            dense.append(table)
        return cls(categories, *dense)

    def interest(self, position: Int, product: Int) -> Float:
        """How much a customer buys of the product's categories, float32 [entries]."""
        finest = self.finest[position, self.categories.finest[product]]
        parent = self.parent[position, self.categories.parent[product]]
        return np.asarray(finest + PARENT_WEIGHT * parent + ANY_WEIGHT, np.float32)


def _decayed_orders(lines: Lines, half_life_days: float) -> Float:
    whole = own_things(lines, np.zeros(len(lines.purchases.products), np.int32), 1, [half_life_days])
    orders = np.full(lines.asked, 1e-3, np.float32)
    orders[whole.position] = np.maximum(whole.decayed[:, 0], 1e-3)
    return orders


def new_products(purchases: Purchases) -> Int:
    """Products first sold in the last LATELY_DAYS, unless the whole history is hardly longer."""
    first = np.full(len(purchases.products), np.iinfo(np.int32).max)
    np.minimum.at(first, purchases.product, purchases.day)
    begins = int(purchases.day.min())
    today = day_number(purchases.as_of)
    if today - begins < 2 * LATELY_DAYS:
        return np.empty(0, np.int32)
    return np.flatnonzero(first > today - LATELY_DAYS).astype(np.int32)
