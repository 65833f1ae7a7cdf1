"""Recommenders that score a product by summing what speaks for it: one sparse row of scores per customer.

What all of them share: the best of the rows, found for many customers at once, and how they speak of a product.
"""

from abc import abstractmethod

import numpy as np
import scipy.sparse as sp

from features.customers import Long, owned_of
from features.history import Float, Int, day_number
from models.contracts import Queries, Recommender, Scored
from models.ranking import flat, joined, pairs
from models.reasons import BoughtBefore, BoughtBy, Reason, whole_gap

CHUNK = 500  # customers whose evidence is held at once
BLOCK_SCORES = 8_000_000  # scores, padding included, that are partitioned at once


class EvidenceRecommender(Recommender):
    """Ranks by `evidence`; a product that a row does not hold has no evidence."""

    @abstractmethod
    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Scores of customers by code, float32 [len(customer), products], above zero, indices sorted.

        The customer's own products are among them, unless the model forgets what is old or rare; the row of an unknown
        customer (-1) is empty. A row is the same whoever else is asked about. Memory grows with len(customer):
        ask for a chunk at a time.
        """

    def score(self, queries: Queries, limit: int) -> Scored:
        """The best of each customer's evidence."""
        known = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        chunks = [known[begin : begin + CHUNK] for begin in range(0, len(known), CHUNK)]
        return joined([self._best(queries, asked, limit) for asked in chunks]).top(limit)

    def _best(self, queries: Queries, asked: Int, limit: int) -> tuple[Int, Int, Float]:
        scores = self.evidence(queries.customer[asked])
        data = scores.data.copy()
        if queries.allowed is not None:
            data[~queries.allowed[scores.indices]] = -np.inf
        position, product = flat([queries.excluded[query] for query in asked.tolist()])
        data[positions(scores, position, product)] = -np.inf
        free = sp.csr_matrix((data, scores.indices, scores.indptr), shape=scores.shape)
        row, product, score = best_of_rows(free, limit)
        return asked[row], product, score

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """How the customer bought it, else how many others did: a sum is not a fact of the history."""
        owned = owned_of(self.purchases, self.settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)[scored.product].tolist()
        entry = owned.find(queries.customer[scored.query], scored.product)
        own = np.flatnonzero(entry >= 0)
        since = day_number(self.purchases.as_of) - owned.last_day[entry[own]]
        facts = zip(
            owned.baskets[entry[own]].tolist(), owned.mean_gap(entry[own]).tolist(), since.tolist(), strict=True
        )
        said: dict[int, Reason] = {
            at: BoughtBefore(baskets, whole_gap(gap), days)
            for at, (baskets, gap, days) in zip(own.tolist(), facts, strict=True)
        }
        return [said[i] if i in said else BoughtBy(owners[i], None) for i in range(len(entry))]


def best_of_rows(scores: sp.csr_matrix, count: int) -> tuple[Int, Int, Float]:
    """The `count` highest entries of each row, and those equal to the last: columns row, column, score.

    Rows are padded to the longest of their block and partitioned together; -inf is never chosen.
    """
    sizes = np.diff(scores.indptr)
    step = max(BLOCK_SCORES // max(int(sizes.max(initial=1)), 1), 1)
    entry = np.concatenate([
        np.empty(0, np.int64),
        *(_best_of_block(scores, begin, min(begin + step, len(sizes)), count) for begin in range(0, len(sizes), step)),
    ])  # fmt: skip
    row = np.searchsorted(scores.indptr, entry, side="right") - 1
    return row.astype(np.int32), scores.indices[entry].astype(np.int32), scores.data[entry]


def _best_of_block(scores: sp.csr_matrix, begin: int, end: int, count: int) -> Long:
    """Positions in `scores.data` of the best entries of rows begin … end - 1."""
    bounds = scores.indptr[begin : end + 1].astype(np.int64)
    sizes, first = np.diff(bounds), int(bounds[0])
    data = scores.data[first : int(bounds[-1])]
    longest = int(sizes.max(initial=0))
    least = np.full(len(sizes), -np.inf, np.float32)
    if longest > count:
        padded = np.full((len(sizes), longest), -np.inf, np.float32)
        padded[np.arange(longest) < sizes[:, None]] = data
        place = longest - count
        least = np.partition(padded, place, axis=1)[:, place]
    chosen = (data >= np.repeat(least, sizes)) & (data > -np.inf)
    return np.flatnonzero(chosen).astype(np.int64) + first


def positions(scores: sp.csr_matrix, row: Int, column: Int) -> Long:
    """Where in `scores.data` the entries at (row, column) are, for those that there are; indices must be sorted."""
    if not len(row) or not scores.nnz:
        return np.empty(0, np.int64)
    rows = np.repeat(np.arange(scores.shape[0], dtype=np.int32), np.diff(scores.indptr))
    held, asked = pairs(rows, scores.indices, scores.shape[1]), pairs(row, column, scores.shape[1])
    found = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    return np.asarray(found[held[found] == asked], np.int64)


def top_of_rows(scores: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """The same rows with their `count` highest entries (and those equal to the last), indices sorted."""
    row, column, score = best_of_rows(scores, count)
    start = np.searchsorted(row, np.arange(scores.shape[0] + 1))
    return sp.csr_matrix((score, column, start), shape=scores.shape)
