"""Recommenders that hold a short vector per customer and product: every product has a score for everyone."""

from abc import abstractmethod
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from threadpoolctl import ThreadpoolController

from features.arrays import open_array, save_array
from features.customers import owned_of
from features.errors import HistoryError
from features.history import Float, Int, Purchases
from models.contracts import Queries, Recommender, Scored
from models.ranking import admitted, joined, most_excluded
from models.reasons import BoughtBy, Reason
from models.saved_settings import open_settings, save_settings

LEAST_CUSTOMERS = 5  # owners of a product, to get a vector
CHUNK = 256  # customers at a time: CHUNK × products scores are held at once


@cache
def libraries() -> ThreadpoolController:
    """The numerical libraries loaded, looked up once: the look-up takes longer than an answer."""
    return ThreadpoolController()


class FactorRecommender(Recommender):
    """Inner product of the customer's and the product's vector."""

    arrays: ClassVar[tuple[str, ...]] = ("product", "product_factors")  # that are saved
    product: Int  # codes of the products that have a vector, sorted
    product_factors: Float

    @abstractmethod
    def vectors(self, customer: Int) -> Float:
        """Vectors of known customers by code, float32 [len(customer), factors]."""

    def often_bought(self, purchases: Purchases) -> Int:
        """Products that may get a vector. HistoryError where none was bought by LEAST_CUSTOMERS known customers."""
        owned = owned_of(purchases, self.settings.half_life_days)
        often = np.flatnonzero(np.bincount(owned.product, minlength=owned.products) >= LEAST_CUSTOMERS)
        if not len(often):
            raise HistoryError(
                f"no product was bought by {LEAST_CUSTOMERS} known customers up to {purchases.as_of}: "
                f"{self.name} cannot learn from it; map customer accounts, or choose popular or items"
            )
        return often.astype(np.int32)

    def table(self, customer: Int) -> Float:
        """Scores of customers for the products with a vector, float32 [len(customer), len(product)]."""
        vectors = self.vectors(customer)
        with libraries().limit(limits=1, user_api="blas"):
            return np.asarray(vectors @ self.product_factors.T, np.float32)

    def evidence_of(self, customer: Int, product: Int) -> Float:
        """Score of each (customer, product), float32; NaN where either has no vector."""
        found: Float = np.full(len(customer), np.nan, np.float32)
        place = np.minimum(np.searchsorted(self.product, product), len(self.product) - 1)
        known = np.flatnonzero((customer >= 0) & (self.product[place] == product))
        who, row = np.unique(customer[known], return_inverse=True)
        for begin in range(0, len(who), CHUNK):
            here = np.flatnonzero((row >= begin) & (row < begin + CHUNK))
            mine = self.vectors(who[begin : begin + CHUNK].astype(np.int32))[row[here] - begin]
            found[known[here]] = np.einsum("ij,ij->i", mine, self.product_factors[place[known[here]]])
        return found

    def score(self, queries: Queries, limit: int) -> Scored:
        """The best inner products of each known customer."""
        known = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        count = min(limit + most_excluded(queries), len(self.product))
        chunks = [known[begin : begin + CHUNK] for begin in range(0, len(known), CHUNK)]
        found = joined([self._score_chunk(queries, asked, count) for asked in chunks])
        keep = admitted(queries, found.query, found.product, len(self.purchases.products))
        return Scored(found.query[keep], found.product[keep], found.score[keep]).top(limit)

    def _score_chunk(self, queries: Queries, asked: Int, count: int) -> tuple[Int, Int, Float]:
        score = self.table(queries.customer[asked])
        if queries.allowed is not None:
            score[:, ~queries.allowed[self.product]] = -np.inf
        least = np.partition(score, score.shape[1] - count, axis=1)[:, score.shape[1] - count]
        row, column = np.nonzero((score >= least[:, None]) & (score > -np.inf))
        return asked[row].astype(np.int32), self.product[column], score[row, column]

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """Popularity is the fact that can be recomputed; a vector is not a fact of the history."""
        owned = owned_of(self.purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)[scored.product]
        return [BoughtBy(count, None) for count in owners.tolist()]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        for name in self.arrays:
            save_array(folder, name, getattr(self, name))

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        for name in cls.arrays:
            setattr(opened, name, open_array(folder, name))
        return opened
