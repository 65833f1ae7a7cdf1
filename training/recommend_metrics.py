"""How good ranked lists are, per query: plain functions of which places of a list were hits.

`hits` is bool [queries, k]: place j of query i's list is in its truth. `truth_count` is int [queries], the size
of the truth, above zero. Each metric is float64 [queries]; relevance is binary.
"""

import numpy as np
import numpy.typing as npt

from features.history import Int
from models.contracts import Bools, Scored
from models.ranking import pairs

Numbers = npt.NDArray[np.float64]
BOOTSTRAP_ROUNDS = 500


def hit_matrix(lists: Scored, truth_query: Int, truth_product: Int, queries: int, k: int, products: int) -> Bools:
    """Mark the first `k` places of each list that name a product of the query's truth."""
    top = lists.top(k)
    rank = np.arange(len(top.query)) - np.searchsorted(top.query, top.query, side="left")
    hits = np.zeros((queries, k), bool)
    truth = pairs(truth_query, truth_product, products)
    hits[top.query, rank] = np.isin(pairs(top.query, top.product, products), truth)
    return hits


def recall_at(hits: Bools, truth_count: Int) -> Numbers:
    """Hits ÷ size of the truth, so that 1 cannot be reached where the truth is larger than k."""
    return np.asarray(hits.sum(axis=1) / truth_count, np.float64)


def ndcg_at(hits: Bools, truth_count: Int) -> Numbers:
    """Discounted gain 1 / log2(place + 1), divided by that of a list that begins with the truth."""
    gain: Numbers = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.append(0.0, np.cumsum(gain))[np.minimum(truth_count, hits.shape[1])]
    return np.asarray(np.divide((hits * gain).sum(axis=1), ideal), np.float64)


def hit_at(hits: Bools, truth_count: Int) -> Numbers:
    """1 where anything of the truth is in the list."""
    return np.asarray(hits.any(axis=1), np.float64)


def map_at(hits: Bools, truth_count: Int) -> Numbers:
    """Precision at each hit, summed, ÷ the smaller of k and the size of the truth."""
    places = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / places
    return np.asarray((precision * hits).sum(axis=1) / np.minimum(truth_count, hits.shape[1]), np.float64)


METRICS = {"recall": recall_at, "ndcg": ndcg_at, "hit": hit_at, "map": map_at}


def measure(hits: Bools, truth_count: Int) -> dict[str, Numbers]:
    """Every metric at the lists' k, named metric@k."""
    return {f"{name}@{hits.shape[1]}": metric(hits, truth_count) for name, metric in METRICS.items()}


def bootstrap_intervals(values: Numbers, seed: int, rounds: int = BOOTSTRAP_ROUNDS) -> tuple[Numbers, Numbers]:
    """95 % percentile intervals of the column means when customers (rows) are drawn again with replacement.

    `values` is float64 [customers, metrics]; returns the lower and the upper bounds, float64 [metrics]. The same
    draws serve all columns, and with one seed all methods, so differences within a cut-off are paired.
    """
    random = np.random.default_rng(seed)
    count = len(values)
    means = np.stack([values[random.integers(0, count, count)].mean(axis=0) for _ in range(rounds)])
    bounds = np.asarray(np.percentile(means, [2.5, 97.5], axis=0))
    return bounds[0], bounds[1]
