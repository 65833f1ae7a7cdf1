"""What is known of the customers of a few queries, and of the products that may be proposed to them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.history import Float, Int, Purchases, day_number
from features.own import Lines, Own, lines_of, own_things
from models.contracts import Queries
from models.taste import Categories, Taste, category_shares

DECAYS = (0.125, 0.25, 1.0, 4.0)  # half-lives, as parts of the settings' one
NOW = 2  # the place of the settings' half-life among them


@dataclass(frozen=True)
class Known:
    """A chunk of queries with their customers' lines; everything counted from them is counted once, when asked for."""

    purchases: Purchases
    queries: Queries
    lines: Lines
    categories: Categories
    half_life_days: float

    @classmethod
    def of(cls, purchases: Purchases, queries: Queries, categories: Categories, half_life_days: float) -> "Known":
        return cls(purchases, queries, lines_of(purchases, queries.customer), categories, half_life_days)

    @property
    def today(self) -> int:
        return day_number(self.purchases.as_of)

    @property
    def half_lives(self) -> list[float]:
        return [part * self.half_life_days for part in DECAYS]

    @cached_property
    def own(self) -> Own:
        """By product."""
        products = len(self.purchases.products)
        return self._counted(np.arange(products, dtype=np.int32), products)

    @cached_property
    def whole(self) -> Own:
        """Everything as one thing: an entry per customer with any line."""
        return self._counted(np.zeros(len(self.purchases.products), np.int32), 1)

    @cached_property
    def finest(self) -> Own:
        """By narrowest category."""
        return self._counted(self.categories.finest, self.categories.finest_count)

    @cached_property
    def parent(self) -> Own:
        """By the category above it."""
        return self._counted(self.categories.parent, self.categories.parent_count)

    @cached_property
    def brand(self) -> Own:
        catalog = self.purchases.catalog
        return self._counted(catalog.brand, len(catalog.brands))

    def _counted(self, thing_of: Int, things: int) -> Own:
        return own_things(self.lines, thing_of, max(things, 1), self.half_lives)

    @cached_property
    def decayed_orders(self) -> Float:
        """Decayed orders of each query's customer, float32 [queries, DECAYS]; 1 where there are none."""
        decayed = np.ones((self.lines.asked, len(DECAYS)), np.float32)
        decayed[self.whole.position] = np.maximum(self.whole.decayed, 1e-9)
        return decayed

    @cached_property
    def taste(self) -> Taste:
        orders = self.decayed_orders[:, NOW]
        return Taste(self.categories, *(
            category_shares(own, orders, count, NOW)
            for own, count in ((self.finest, self.categories.finest_count), (self.parent, self.categories.parent_count))
        ))  # fmt: skip
