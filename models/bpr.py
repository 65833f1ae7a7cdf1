"""Matrix factorisation by ranking: what a customer bought shall come before what it did not.

Bayesian personalised ranking (Rendle et al., 2009) by the library implicit. It learns from pairs drawn at random, and
a customer's vector cannot be solved for from the products': customers unknown at the fit have none. The library draws
what was not bought as often as others buy it, so that popularity cancels out of what is learnt; its logarithm is
added to the products' biases.
"""

from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.customers import owned_of
from features.history import Float, Int, Purchases
from models.factors import FactorRecommender, libraries

FACTORS = 64
UPDATES = 8_000_000  # pairs drawn, about
ITERATIONS = (5, 500)  # over all that was bought, at least and at most
LEARNING_RATE = 0.05
REGULARISATION = 0.03


class Bpr(FactorRecommender):
    """The score orders the products of one customer and means nothing between customers."""

    name: ClassVar[str] = "bpr"
    arrays: ClassVar[tuple[str, ...]] = (*FactorRecommender.arrays, "customer_factors")
    customer_factors: Float

    def fit(self, purchases: Purchases) -> Self:
        """Learn on one thread, as more would make another model each time. HistoryError as for als."""
        from implicit.bpr import BayesianPersonalizedRanking

        self.purchases = purchases
        self.product = self.often_bought(purchases)
        owned = owned_of(purchases, self.settings.half_life_days)
        shape = (len(purchases.customers), owned.products)
        everything = sp.csr_matrix((np.ones(len(owned), np.float32), owned.product, owned.start), shape=shape)
        bought = everything[:, self.product]
        iterations = int(np.clip(UPDATES // max(bought.nnz, 1), *ITERATIONS))
        with libraries().limit(limits=1, user_api="blas"):
            model = BayesianPersonalizedRanking(
                factors=FACTORS, iterations=iterations, learning_rate=LEARNING_RATE, regularization=REGULARISATION,
                random_state=self.settings.seed, num_threads=1, use_gpu=False,
            )  # fmt: skip
            model.fit(bought, show_progress=False)
        self.customer_factors = np.asarray(model.user_factors, np.float32)
        self.product_factors = np.asarray(model.item_factors, np.float32)
        orders = np.bincount(owned.product, owned.decayed, minlength=owned.products)[self.product]
        self.product_factors[:, -1] += np.log(np.maximum(orders, 1e-3))
        return self

    def vectors(self, customer: Int) -> Float:
        return self.customer_factors[customer]
