"""What a customer buys most: its own orders per product, each halved with age; popularity decides between equals.

The strongest simple rule for repeat purchases (Li et al., "A next basket recommendation reality check", 2023).
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from features.arrays import open_array, save_array
from features.history import Purchases
from models.contracts import Queries, Scored, ranked
from models.own_products import OwnProducts
from models.ranking import admitted
from models.saved_settings import open_settings, save_settings

TIE = 1e-4  # weight of the share of customers who own the product: below any difference that a day makes


class Personal(OwnProducts):
    """Own products by decayed number of orders."""

    name: ClassVar[str] = "personal"

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        owners = np.bincount(self.owned.product, minlength=len(purchases.products))
        self.owner_share = (owners / max(len(purchases.customers), 1)).astype(np.float32)
        return self

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the decayed number of orders."""
        owned = self.owned
        query, entry = owned.entries(queries.customer)
        product = owned.product[entry]
        keep = admitted(queries, query, product, owned.products)
        query, entry, product = query[keep], entry[keep], product[keep]
        score = owned.decayed[entry].astype(np.float64) + TIE * self.owner_share[product]
        return ranked(query, product, score).top(limit)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_array(folder, "owner_share", self.owner_share)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.owner_share = open_array(folder, "owner_share")
        return opened
