"""What is bought by the same customers as the products that a customer buys: similarities of products, summed.

By the library implicit, which holds no more than the nearest of each product (Sarwar et al., "Item-based
collaborative filtering recommendation algorithms", 2001; Deshpande & Karypis, 2004).
"""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_record, save_record
from features.customers import owned_of
from features.history import Int, Purchases
from models.evidence import EvidenceRecommender
from models.profiles import decayed, profiles
from models.references import busiest_customers
from models.saved_settings import open_settings, save_settings
from models.weights import Weights

CUSTOMERS = 100_000  # that similarities are learnt from, at most
LEAST_CUSTOMERS = 10  # owners of a product, to be similar to others: a few customers share too much by chance
THREADS = 1  # equal similarities would come in another order each time


class ItemNeighbours(EvidenceRecommender):
    """Own decayed orders × similarity of products, each similar to itself; rare products are to themselves only."""

    half_lives: ClassVar[float] = 1.5  # of the settings
    weights: Weights

    @abstractmethod
    def similarities(self, orders: sp.csr_matrix) -> sp.csr_matrix:
        """Nearest neighbours of each product, [products, products], from decayed orders [customers, products]."""

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        owned = owned_of(purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)
        chosen = np.flatnonzero(owners >= min(LEAST_CUSTOMERS, owners.max(initial=0))).astype(np.int32)
        customer = busiest_customers(purchases, self.settings.half_life_days, CUSTOMERS)
        rows = self.similarities(self._orders(customer)[:, chosen])
        self.weights = Weights.of([rows], chosen, owned.products)
        rare = np.ones(owned.products, np.float32) * rows.diagonal().min(initial=1.0)
        rare[chosen] = 0
        self.weights = self.weights.plus(sp.csr_matrix(sp.diags_array(rare)))
        return self

    def _orders(self, customer: Int) -> sp.csr_matrix:
        return profiles(self.purchases, customer, decayed(self.half_lives * self.settings.half_life_days))

    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Similarities to own products, each times its decayed orders."""
        found: sp.csr_matrix = (self._orders(customer) @ self.weights.matrix).astype(np.float32).tocsr()
        found.data = np.maximum(found.data, np.float32(0))
        found.eliminate_zeros()
        found.sort_indices()
        return found

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_record(folder / "weights", self.weights)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.weights = open_record(folder / "weights", Weights)
        return opened
