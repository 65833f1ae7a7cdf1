"""What is known of the customers of a few queries, and of the products that may be proposed to them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.history import Purchases, day_number
from features.own import Lines, Own, lines_of, own_things
from models.contracts import Queries
from models.taste import Categories, Taste

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
        return own_things(self.lines, np.arange(products, dtype=np.int32), products, self.half_lives)

    @cached_property
    def whole(self) -> Own:
        """Everything as one thing: an entry per customer with any line."""
        return own_things(self.lines, np.zeros(len(self.purchases.products), np.int32), 1, self.half_lives)

    @cached_property
    def taste(self) -> Taste:
        return Taste.of(self.lines, self.categories, self.half_life_days)
