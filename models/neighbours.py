"""What customers with similar purchases buy: a customer's own profile blended with those of its nearest customers.

After UP-CF@r (Faggioli et al., "Recency aware collaborative filtering for next basket recommendation", 2020) and
TIFU-KNN (Hu et al., 2020). Neighbours are sought among at most REFERENCES customers, so that work and memory
grow linearly with the number of customers asked about.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_array, open_record, save_array, save_record
from features.customers import customers_of, owned_of
from features.history import Float, Int, Purchases
from models.contracts import Queries, Recommender, Scored, ranked
from models.ranking import Numbers, admitted
from models.reasons import BoughtBy, Reason
from models.saved_settings import open_settings, save_settings

REFERENCES = 4000
NEAREST = 50
PROFILE = 80  # products of a customer, the heaviest, that are compared and lent
CHUNK = 500  # customers at a time: CHUNK × REFERENCES similarities are held at once


@dataclass(frozen=True)
class _Profiles:
    """Profiles of the reference customers as compressed rows."""

    start: Int
    product: Int
    weight: Float
    products: int

    @classmethod
    def of(cls, rows: sp.csr_matrix) -> Self:
        return cls(rows.indptr.astype(np.int32), rows.indices.astype(np.int32), rows.data, rows.shape[1])

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """Reference customers × products."""
        shape = (len(self.start) - 1, self.products)
        return sp.csr_matrix((self.weight, self.product, self.start), shape=shape)

    @cached_property
    def columns(self) -> sp.csr_matrix:
        """Products × reference customers."""
        return self.matrix.T.tocsr()


class Neighbours(Recommender):
    """Mean profile of the nearest customers, weighted by similarity."""

    name: ClassVar[str] = "neighbours"
    references: Int
    profiles: "_Profiles"

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        customers = customers_of(purchases, self.settings.half_life_days)
        order = np.lexsort((np.arange(len(customers.baskets)), -customers.decayed_baskets))
        self.references = np.sort(order[:REFERENCES]).astype(np.int32)
        self.profiles = _Profiles.of(self._profiles(self.references))
        return self

    def _profiles(self, customer: Int) -> sp.csr_matrix:
        """Square roots of decayed orders, unit length, one row per customer asked for."""
        owned = owned_of(self.purchases, self.settings.half_life_days)
        row, entry = owned.entries(customer)
        top = ranked(row, owned.product[entry], owned.decayed[entry]).top(PROFILE)
        length = np.sqrt(np.bincount(top.query, top.score, minlength=len(customer)))
        value = (np.sqrt(top.score) / np.maximum(length[top.query], 1e-12)).astype(np.float32)
        start = np.searchsorted(top.query, np.arange(len(customer) + 1))
        return sp.csr_matrix((value, top.product, start), shape=(len(customer), owned.products))

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the neighbours' mean profile weight of the product."""
        reference, columns = self.profiles.matrix, self.profiles.columns
        asked = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        lists = [
            self._score_chunk(queries, asked[begin : begin + CHUNK], reference, columns, limit)
            for begin in range(0, len(asked), CHUNK)
        ]
        empty = np.empty(0, np.int32)
        return Scored(
            np.concatenate([empty, *(part.query for part in lists)]),
            np.concatenate([empty, *(part.product for part in lists)]),
            np.concatenate([empty.astype(np.float32), *(part.score for part in lists)]),
        )

    def _score_chunk(
        self, queries: Queries, asked: Int, reference: sp.csr_matrix, columns: sp.csr_matrix, limit: int
    ) -> Scored:
        customer = queries.customer[asked]
        weights = self._nearest(customer, (self._profiles(customer) @ columns).toarray())
        found = (weights @ reference).tocsr()
        query = np.repeat(asked, np.diff(found.indptr)).astype(np.int32)
        product, score = found.indices.astype(np.int32), found.data.astype(np.float64)
        keep = admitted(queries, query, product, reference.shape[1])
        return ranked(query[keep], product[keep], score[keep]).top(limit)

    def _nearest(self, customer: Int, similarity: Numbers) -> sp.csr_matrix:
        """Weights of the NEAREST reference customers of each customer, itself left out."""
        similarity[customer[:, None] == self.references[None, :]] = 0
        count = min(NEAREST, similarity.shape[1])
        least = np.partition(similarity, similarity.shape[1] - count, axis=1)[:, similarity.shape[1] - count]
        row, near = np.nonzero((similarity >= least[:, None]) & (similarity > 0))
        value = similarity[row, near]
        total = np.bincount(row, value, minlength=len(customer))
        return sp.csr_matrix((value / total[row], (row, near)), shape=similarity.shape)

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """Popularity is the fact that can be recomputed; similarity of customers is not a fact of the history."""
        owned = owned_of(self.purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)[scored.product]
        return [BoughtBy(count, None) for count in owners.tolist()]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_array(folder, "references", self.references)
        save_record(folder / "profiles", self.profiles)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.references = open_array(folder, "references")
        opened.profiles = open_record(folder / "profiles", _Profiles)
        return opened
