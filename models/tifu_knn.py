"""What a customer buys, each order weighted by its age, blended with what its nearest customers buy.

TIFU-KNN (Hu et al., "Modeling personalized item frequency information for next-basket recommendation", 2020),
with cosine in place of their Euclidean distance: that finds customers of the same taste rather than of the same
number of orders. Their decay, in two steps over the numbers of a customer's orders, is `decay_on = "orders"`;
the default takes the age in days, which says more where customers come at different rates.
"""

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_record, save_record
from features.customers import Long
from features.history import Int, Purchases
from models.evidence import EvidenceRecommender
from models.profiles import decayed, order_counts, orders_from_last, profiles
from models.ranking import Numbers
from models.references import References, busiest_customers, nearest
from models.saved_settings import open_settings, save_settings

HALF_LIVES = 1.5  # of the settings: a blend bears a longer memory than own orders alone
NEAREST = 100
OWN_SHARE = 0.7
GROUP_ORDERS = 7  # decay over orders: orders of a group weigh alike,
WITHIN_DECAY = 1.0
GROUP_DECAY = 0.8  # and each group this much less than the next


class TifuKnn(EvidenceRecommender):
    """OWN_SHARE × own profile + the rest × the mean profile of the nearest customers."""

    name: ClassVar[str] = "tifu_knn"
    decay_on: ClassVar[Literal["days", "orders"]] = "days"
    references: References

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        customer = busiest_customers(purchases, self.settings.half_life_days)
        self.references = References.of(customer, self._profiles(customer))
        return self

    def _profiles(self, customer: Int) -> sp.csr_matrix:
        if self.decay_on == "days":
            return profiles(self.purchases, customer, decayed(HALF_LIVES * self.settings.half_life_days))
        return profiles(self.purchases, customer, decayed_by_groups)

    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Decayed orders, the customer's own and the mean of its nearest customers', blended."""
        own = self._profiles(customer)
        weights = self._nearest(customer, own)
        blend: sp.csr_matrix = (OWN_SHARE * own + weights @ self.references.matrix).astype(np.float32).tocsr()
        blend.sort_indices()
        return blend

    def _nearest(self, customer: Int, own: sp.csr_matrix) -> sp.csr_matrix:
        """Equal weights of the nearest reference customers, summing to what the own profile leaves."""
        length = np.sqrt(np.maximum(self.references.squares, np.float32(1e-30)))
        cosine = (self.references.alike(own) / length).astype(np.float32)  # up to a factor of the asking customer
        cosine[customer[:, None] == self.references.customer[None, :]] = 0
        weights = nearest(cosine, NEAREST)
        sizes = np.diff(weights.indptr)
        weights.data = np.repeat((1 - OWN_SHARE) / np.maximum(sizes, 1), sizes).astype(np.float32)
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


class TifuKnnByOrders(TifuKnn):
    """As published: decay over the numbers of a customer's orders, whenever they were."""

    decay_on = "orders"


def decayed_by_groups(purchases: Purchases, position: Int, line: Long) -> Numbers:
    """Weight of a line: GROUP_DECAY per group of GROUP_ORDERS orders since, WITHIN_DECAY per order in its group.

    The mean over the groups of the mean over a group's orders; groups are counted from the last order.
    """
    since = orders_from_last(purchases, position, line)
    orders = order_counts(purchases, position, line, int(position.max(initial=-1)) + 1)
    groups = -(-orders // GROUP_ORDERS)[position]
    weight = WITHIN_DECAY ** (since % GROUP_ORDERS) * GROUP_DECAY ** (since // GROUP_ORDERS)
    return np.asarray(weight / (GROUP_ORDERS * groups), np.float64)
