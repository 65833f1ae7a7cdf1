"""Matrix factorisation: customers and products as short vectors whose product is the strength of interest.

Implicit-feedback alternating least squares (Hu, Koren & Volinsky, 2008) by the library implicit, on decayed orders.
Only the products' vectors are kept: a customer's follows from them and from what it has bought up to now.
"""

from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.history import Float, Int, Purchases
from models.factors import FactorRecommender, libraries
from models.profiles import decayed, profiles
from models.references import busiest_customers

FACTORS = 64
ITERATIONS = 6
REGULARISATION = 15.0
CONFIDENCE = 2.0  # of one order today, where a product never bought has 1
CUSTOMERS = 100_000  # that products' vectors are learnt from, at most
THREADS = 2
STEPS = 12  # of conjugate gradients towards a customer's vector


class Als(FactorRecommender):
    """The score is the predicted preference, about 1 for products surely bought."""

    name: ClassVar[str] = "als"

    def fit(self, purchases: Purchases) -> Self:
        """Factorise. Raises HistoryError when no product was bought by LEAST_CUSTOMERS known customers."""
        from implicit.als import AlternatingLeastSquares

        self.purchases = purchases
        self.product = self.often_bought(purchases)
        customer = busiest_customers(purchases, self.settings.half_life_days, CUSTOMERS)
        with libraries().limit(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=FACTORS, iterations=ITERATIONS, regularization=REGULARISATION, alpha=1.0,
                random_state=self.settings.seed, num_threads=THREADS, use_gpu=False,
            )  # fmt: skip
            model.fit(self._confidence(customer), show_progress=False)
        self.product_factors = np.asarray(model.item_factors, np.float32)
        self.__dict__.pop("_gram", None)
        return self

    def _confidence(self, customer: Int) -> sp.csr_matrix:
        """Confidence in what each customer bought, [len(customer), products with a vector]."""
        orders = profiles(self.purchases, customer, decayed(self.settings.half_life_days))[:, self.product]
        orders.data = np.float32(CONFIDENCE) * np.log1p(orders.data)
        return orders

    @cached_property
    def _gram(self) -> Float:
        gram: Float = self.product_factors.T @ self.product_factors
        gram[np.diag_indices(len(gram))] += np.float32(REGULARISATION)
        return gram

    def vectors(self, customer: Int) -> Float:
        with libraries().limit(limits=1, user_api="blas"):
            return folded_in(self._confidence(customer), self.product_factors, self._gram)


def folded_in(confidence: sp.csr_matrix, factors: Float, gram: Float) -> Float:
    """Customers' vectors that fit fixed product vectors best, float32 [customers, factors], by conjugate gradients.

    Row u solves (gram + sum of (c - 1) y yᵀ) x = sum of c y over the products bought, with their vectors y and
    confidences c; `gram` is that of all products, its diagonal raised by the regularisation.
    """
    row = np.repeat(np.arange(confidence.shape[0]), np.diff(confidence.indptr))
    above, bought = confidence.copy(), factors[confidence.indices]
    solved = np.zeros((confidence.shape[0], factors.shape[1]), np.float32)
    rest = np.asarray(confidence @ factors, np.float32)
    direction, left = rest.copy(), np.einsum("ij,ij->i", rest, rest)
    for _ in range(STEPS):
        above.data = (confidence.data - 1) * np.einsum("ij,ij->i", direction[row], bought)
        image = direction @ gram + above @ factors
        step = left / np.maximum(np.einsum("ij,ij->i", direction, image), np.float32(1e-30))
        solved += step[:, None] * direction
        rest -= step[:, None] * image
        now = np.einsum("ij,ij->i", rest, rest)
        direction = rest + (now / np.maximum(left, np.float32(1e-30)))[:, None] * direction
        left = now
    return solved
