"""What customers who buy the same things of late buy: user-wise popularity over the last orders, lent by similarity.

UP-CF@r (Faggioli et al., "Recency aware collaborative filtering for next basket recommendation", 2020). The customer
itself is among its neighbours, at similarity 1.
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_record, save_record
from features.customers import Long
from features.history import Int, Purchases
from models.evidence import EvidenceRecommender
from models.profiles import order_counts, orders_from_last, profiles, squared_lengths
from models.ranking import Numbers
from models.references import References, busiest_customers, nearest
from models.saved_settings import open_settings, save_settings

RECENT_ORDERS = 50  # r
ASYMMETRY = 0.25  # alpha: how far the asking customer's own breadth counts against a neighbour
LOCALITY = 4.0  # q: how fast less similar customers lose weight
NEAREST = 100


class UpCf(EvidenceRecommender):
    """Popularity of a product with a customer and its neighbours, weighted by similarity ** LOCALITY."""

    name: ClassVar[str] = "up_cf"
    references: References

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        customer = busiest_customers(purchases, self.settings.half_life_days)
        self.references = References.of(customer, profiles(purchases, customer, own_popularity))
        return self

    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Own share of the recent orders that hold the product, and the neighbours' shares by similarity."""
        own = profiles(self.purchases, customer, own_popularity)
        lent: sp.csr_matrix = (own + self._nearest(customer, own) @ self.references.matrix).astype(np.float32).tocsr()
        lent.sort_indices()
        return lent

    def _nearest(self, customer: Int, own: sp.csr_matrix) -> sp.csr_matrix:
        """Similarity ** LOCALITY of the nearest reference customers, the customer itself left out."""
        mine = np.maximum(squared_lengths(own), np.float32(1e-30)).astype(np.float64) ** ASYMMETRY
        theirs = np.maximum(self.references.squares, np.float32(1e-30)).astype(np.float64) ** (1 - ASYMMETRY)
        similarity = (self.references.alike(own) / mine[:, None] / theirs).astype(np.float32)
        similarity[customer[:, None] == self.references.customer[None, :]] = 0
        weights = nearest(similarity, NEAREST)
        weights.data **= np.float32(LOCALITY)
        return weights

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_record(folder / "references", self.references)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.references = open_record(folder / "references", References)
        return opened


def own_popularity(purchases: Purchases, position: Int, line: Long) -> Numbers:
    """Weight of a line: 1 ÷ the number of recent orders, if its order is one of them."""
    since = orders_from_last(purchases, position, line)
    orders = order_counts(purchases, position, line, int(position.max(initial=-1)) + 1)
    recent = np.minimum(orders, RECENT_ORDERS)[position]
    return np.asarray((since < RECENT_ORDERS) / np.maximum(recent, 1), np.float64)
