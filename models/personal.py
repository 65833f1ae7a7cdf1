"""What a customer buys most: its own orders per product, each halved with age; popularity decides between equals.

The strongest simple rule for repeat purchases (Li et al., "A next basket recommendation reality check", 2023).
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_array, save_array
from features.history import Int, Purchases
from models.evidence import EvidenceRecommender
from models.own_products import OwnProducts
from models.saved_settings import open_settings, save_settings

TIE = 1e-4  # weight of the share of customers who own the product: below any difference that a day makes
LEAST = np.float32(1e-30)  # so that no product bought is without evidence, however long ago


class Personal(OwnProducts, EvidenceRecommender):
    """Own products by decayed number of orders."""

    name: ClassVar[str] = "personal"

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        owners = np.bincount(self.owned.product, minlength=len(purchases.products))
        self.owner_share = (owners / max(len(purchases.customers), 1)).astype(np.float32)
        return self

    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Decayed number of orders, and next to nothing for the share of customers who own the product."""
        owned = self.owned
        row, entry = owned.entries(customer)
        product = owned.product[entry]
        value = owned.decayed[entry] + np.maximum(np.float32(TIE) * self.owner_share[product], LEAST)
        start = np.searchsorted(row, np.arange(len(customer) + 1))
        return sp.csr_matrix((value.astype(np.float32), product, start), shape=(len(customer), owned.products))

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_array(folder, "owner_share", self.owner_share)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.owner_share = open_array(folder, "owner_share")
        return opened
