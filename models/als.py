"""Matrix factorisation: customers and products as short vectors whose product is the strength of interest.

Implicit-feedback alternating least squares (Hu, Koren & Volinsky, 2008) by the library implicit, on decayed orders.
"""

from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

from features.arrays import open_array, save_array
from features.customers import owned_of
from features.errors import HistoryError
from features.history import Float, Int, Purchases
from models.contracts import Queries, Recommender, Scored
from models.ranking import admitted, joined, most_excluded, pairs
from models.reasons import BoughtBy, Reason
from models.saved_settings import open_settings, save_settings

FACTORS = 128
ITERATIONS = 6
REGULARISATION = 15.0
CONFIDENCE = 3.0  # of one order today, above the 1 of a product never bought
LEAST_CUSTOMERS = 5  # owners of a product, to get a vector
THREADS = 2
CHUNK = 256  # customers at a time: CHUNK × products scores are held at once


@cache
def _libraries() -> ThreadpoolController:
    """The numerical libraries loaded, looked up once: the look-up takes longer than an answer."""
    return ThreadpoolController()


class Als(Recommender):
    """Inner product of the customer's and the product's vector."""

    name: ClassVar[str] = "als"
    product: Int  # codes of the products that have a vector
    customer_factors: Float
    product_factors: Float

    def fit(self, purchases: Purchases) -> Self:
        """Factorise. Raises HistoryError when no product was bought by LEAST_CUSTOMERS known customers."""
        from implicit.als import AlternatingLeastSquares

        self.purchases = purchases
        owned = owned_of(purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)
        self.product = np.flatnonzero(owners >= LEAST_CUSTOMERS).astype(np.int32)
        if not len(self.product):
            raise HistoryError(
                f"no product was bought by {LEAST_CUSTOMERS} known customers up to {purchases.as_of}: "
                "als cannot learn from it; map customer accounts, or choose popular or items"
            )
        matrix = sp.csr_matrix((np.log1p(owned.decayed), owned.product, owned.start),
                               shape=(len(purchases.customers), owned.products))[:, self.product]  # fmt: skip
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=FACTORS, iterations=ITERATIONS, regularization=REGULARISATION, alpha=CONFIDENCE,
                random_state=self.settings.seed, num_threads=THREADS, use_gpu=False,
            )  # fmt: skip
            model.fit(matrix.astype(np.float32), show_progress=False)
        self.customer_factors = np.asarray(model.user_factors, np.float32)
        self.product_factors = np.asarray(model.item_factors, np.float32)
        return self

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the predicted preference, about 1 for products surely bought."""
        known = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        count = min(limit + most_excluded(queries), len(self.product))
        chunks = [known[begin : begin + CHUNK] for begin in range(0, len(known), CHUNK)]
        found = joined([self._score_chunk(queries, asked, count) for asked in chunks])
        keep = admitted(queries, found.query, found.product, len(self.purchases.products))
        return Scored(found.query[keep], found.product[keep], found.score[keep]).top(limit)

    def _score_chunk(self, queries: Queries, asked: Int, count: int) -> tuple[Int, Int, Float]:
        with _libraries().limit(limits=1, user_api="blas"):
            score = self.customer_factors[queries.customer[asked]] @ self.product_factors.T
        if queries.allowed is not None:
            score[:, ~queries.allowed[self.product]] = -np.inf
        least = np.partition(score, score.shape[1] - count, axis=1)[:, score.shape[1] - count]
        row, column = np.nonzero((score >= least[:, None]) & (score > -np.inf))
        return asked[row].astype(np.int32), self.product[column], score[row, column]

    def dense(self, customer: Int, depth: int) -> tuple[Float, npt.NDArray[np.int64]]:
        """Scores of customers, float32 [len(customer), products], NaN where there is none; and their best by `pairs`."""
        with _libraries().limit(limits=1, user_api="blas"):
            score = self.customer_factors[np.maximum(customer, 0)] @ self.product_factors.T
        products = len(self.purchases.products)
        full = np.full((len(customer), products), np.nan, np.float32)
        full[:, self.product] = score
        full[customer < 0] = np.nan
        count = min(depth, len(self.product))
        best = self.product[np.argpartition(-score, count - 1, axis=1)[:, :count]]
        query = np.repeat(np.arange(len(customer), dtype=np.int32), count)
        key = pairs(query, best.ravel().astype(np.int32), products)
        return full, key[np.repeat(customer >= 0, count)]

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """Popularity is the fact that can be recomputed; a vector is not a fact of the history."""
        owned = owned_of(self.purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)[scored.product]
        return [BoughtBy(count, None) for count in owners.tolist()]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        for name in ("product", "customer_factors", "product_factors"):
            save_array(folder, name, getattr(self, name))

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        for name in ("product", "customer_factors", "product_factors"):
            setattr(opened, name, open_array(folder, name))
        return opened
