"""Choosing and ordering products in arrays: what a query may see, the best of many, lists put one after another."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from features.history import Float, Int
from models.contracts import Bools, Queries, Scored, ranked

Numbers = npt.NDArray[np.float64]
Place = tuple[int, ...]
KEPT_PRODUCTS = 300  # of a place: enough for the longest list and what most baskets exclude
KEPT_PLACES = 5000


def flat(lists: Sequence[Int]) -> tuple[Int, Int]:
    """Lists of codes as two columns: the list's position and the code; codes below zero are left out."""
    sizes = np.fromiter((len(codes) for codes in lists), np.int64, len(lists))
    position = np.repeat(np.arange(len(lists), dtype=np.int32), sizes)
    codes = np.concatenate(lists).astype(np.int32) if len(lists) else np.empty(0, np.int32)
    return position[codes >= 0], codes[codes >= 0]


def pairs(query: Int, product: Int, products: int) -> npt.NDArray[np.int64]:
    """One number per (query, product)."""
    return query.astype(np.int64) * products + product


def admitted(queries: Queries, query: Int, product: Int, products: int) -> Bools:
    """True where an entry may be named: neither excluded by its query nor outside `allowed`."""
    keep = np.ones(len(query), bool) if queries.allowed is None else queries.allowed[product]
    position, codes = flat(queries.excluded)
    if len(codes):
        keep = keep & ~np.isin(pairs(query, product, products), pairs(position, codes, products))
    return keep


class BestOfPlaces:
    """The best products of each place asked about, kept so that no answer ranks the whole catalogue again."""

    def __init__(self) -> None:
        self._kept: dict[Place, tuple[Int, Numbers]] = {}

    def at(
        self, place: Place, scores: Callable[[Place], Numbers], count: int, allowed: Bools | None
    ) -> tuple[Int, Numbers]:
        """Codes and scores of the `count` best allowed products; `scores` are those of every product there."""
        if allowed is not None or count > KEPT_PRODUCTS:
            score = scores(place)
            return _chosen(score if allowed is None else np.where(allowed, score, -np.inf), count)
        if place not in self._kept:
            if len(self._kept) >= KEPT_PLACES:
                self._kept.clear()
            self._kept[place] = _chosen(scores(place), KEPT_PRODUCTS)
        product, score = self._kept[place]
        return product[:count], score[:count]


def _chosen(score: Numbers, count: int) -> tuple[Int, Numbers]:
    product = best(score, count)
    return product, score[product]


def lists_of_places(
    queries: Queries, place: Int, best_of: Callable[[int, int], tuple[Int, Numbers]], limit: int, products: int
) -> Scored:
    """The best products of each query's place, where all queries of a place share its scores.

    `place` has one code per query; `best_of` gives the codes and scores of so many best products of one.
    """
    excluded = np.fromiter((len(codes) for codes in queries.excluded), np.int64, len(queries))
    lists: list[tuple[Int, Int, Numbers | Float]] = []
    for one in np.unique(place).tolist():
        asking = np.flatnonzero(place == one).astype(np.int32)
        chosen, score = best_of(one, limit + int(excluded[asking].max()))
        lists.append((np.repeat(asking, len(chosen)), np.tile(chosen, len(asking)), np.tile(score, len(asking))))
    found = joined(lists)
    keep = admitted(queries, found.query, found.product, products)
    return Scored(found.query[keep], found.product[keep], found.score[keep]).top(limit)


def best(score: Numbers, count: int) -> Int:
    """Codes of the `count` highest scores, highest first, smallest code among equals; -inf is never chosen."""
    count = min(count, len(score))
    if count <= 0:
        return np.empty(0, np.int32)
    least = np.partition(score, len(score) - count)[len(score) - count]
    chosen = np.flatnonzero((score >= least) & (score > -np.inf))
    return chosen[np.lexsort((chosen, -score[chosen]))][:count].astype(np.int32)


def most_excluded(queries: Queries) -> int:
    """How many products the longest exclusion of a query names."""
    return max((len(codes) for codes in queries.excluded), default=0)


def joined(lists: Sequence[tuple[Int, Int, Numbers | Float]]) -> Scored:
    """The (query, product, score) columns of several lists as one ranking."""
    query, product, score = zip(*lists, strict=True) if lists else ((), (), ())
    empty = np.empty(0, np.int32)
    return ranked(np.concatenate((empty, *query)), np.concatenate((empty, *product)), np.concatenate((empty, *score)))


def one_after_another(lists: Sequence[Scored], products: int, limit: int) -> tuple[Scored, Int]:
    """Fill up the first list with the next ones: at most `limit` entries per query, no product twice.

    Returns the joined list and the list that each entry came from. Scores of a later list are moved below the
    last score of the one before, so that they never rise along the joined list.
    """
    query = np.concatenate([part.query for part in lists])
    product = np.concatenate([part.product for part in lists])
    score = np.concatenate([part.score for part in lists]).astype(np.float64)
    origin = np.repeat(np.arange(len(lists), dtype=np.int32), [len(part.query) for part in lists])
    order = np.lexsort((product, -score, origin, query))
    query, product, score, origin = query[order], product[order], score[order], origin[order]
    _, first = np.unique(pairs(query, product, products), return_index=True)
    keep = np.zeros(len(query), bool)
    keep[first] = True
    rank = np.cumsum(keep) - keep  # kept entries before this one, over all queries
    rank = rank - rank[np.searchsorted(query, query, side="left")] if len(query) else rank
    keep &= rank < limit
    filled = Scored(query[keep], product[keep], _falling(query[keep], origin[keep], score[keep]))
    return filled, origin[keep]


def _falling(query: Int, origin: Int, score: Numbers) -> Float:
    """Shift each later list of a query just below the end of the one before it."""
    if not len(score):
        return score.astype(np.float32)
    head = np.append(True, (query[1:] != query[:-1]) | (origin[1:] != origin[:-1]))
    starts = np.flatnonzero(head)
    same_query = np.append(False, query[starts[1:]] == query[starts[1:] - 1])
    step = np.where(same_query, score[starts] - score[starts - 1] + 0.01, 0.0)
    total = np.cumsum(step)
    begins = np.maximum.accumulate(np.where(same_query, 0, np.arange(len(starts))))
    shift = total - total[begins]
    falling: Float = (score - shift[np.cumsum(head) - 1]).astype(np.float32)
    return falling
