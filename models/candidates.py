"""The first stage: products worth ranking for each customer, from several named sources."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from features.arrays import open_json, save_json
from features.errors import HistoryError
from features.history import Float, Int, Purchases
from models.als import Als
from models.contracts import Queries, Recommender
from models.items import Items
from models.neighbours import Neighbours
from models.personal import Personal
from models.popular import Popular
from models.ranking import pairs
from models.settings import RecommendSettings

SOURCES: dict[str, type[Recommender]] = {
    "personal": Personal, "neighbours": Neighbours, "items": Items, "als": Als, "popular": Popular,
}  # fmt: skip
WEIGHTS = {"personal": 3.0, "neighbours": 1.5, "items": 1.0, "als": 1.0, "popular": 1.0}


@dataclass(frozen=True)
class Candidates:
    """Products to rank, sorted by query, then product.

    `score` and `rank` are float32 [entries, sources], NaN where a source did not propose the product.
    """

    query: Int
    product: Int
    score: Float
    rank: Float


class Sources:
    """Every source of candidates, fitted on one history."""

    fitted: dict[str, Recommender]

    @classmethod
    def fit(cls, purchases: Purchases, settings: RecommendSettings) -> Self:
        """Fit each source; one that cannot learn from so short a history is left out."""
        made = cls()
        made.fitted = {}
        for name, kind in SOURCES.items():
            try:
                made.fitted[name] = kind(settings).fit(purchases)
            except HistoryError:
                continue
        return made

    def gather(self, queries: Queries, limit: int) -> Candidates:
        """The union of the sources' best, at most `limit` per query; each source fills its share by rank."""
        products = len(self.fitted["popular"].purchases.products)
        total = sum(WEIGHTS.values())
        columns = []
        for number, name in enumerate(SOURCES):
            if name not in self.fitted:
                continue
            depth = max(int(limit * min(1.5 * WEIGHTS[name] / total, 1.0)), 10)
            found = self.fitted[name].score(queries, depth)
            rank = np.arange(len(found.query)) - np.searchsorted(found.query, found.query, side="left")
            source = np.full(len(rank), number, np.int32)
            columns.append((pairs(found.query, found.product, products), source, found.score, rank))
        key, source, score, rank = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        distinct, which = np.unique(key, return_inverse=True)
        scores = np.full((len(distinct), len(SOURCES)), np.nan, np.float32)
        ranks = np.full((len(distinct), len(SOURCES)), np.nan, np.float32)
        scores[which, source], ranks[which, source] = score, rank
        keep = _best_ranked(distinct // products, ranks, limit)
        return Candidates(
            (distinct[keep] // products).astype(np.int32), (distinct[keep] % products).astype(np.int32),
            scores[keep], ranks[keep],
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        save_json(folder, "sources", list(self.fitted))
        for name, source in self.fitted.items():
            source.save(folder / name)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls()
        names = open_json(folder, "sources")
        opened.fitted = {name: SOURCES[name].open(folder / name, purchases) for name in names}
        return opened


def _best_ranked(query: Int, ranks: Float, limit: int) -> Int:
    """Entries whose best rank, measured in the source's share, is among the `limit` first of their query."""
    weight = np.array(list(WEIGHTS.values()), np.float32)
    priority = np.fmin.reduce((ranks + 1) / weight, axis=1)
    order = np.lexsort((np.arange(len(query)), priority, query))
    place = np.arange(len(query)) - np.searchsorted(query[order], query[order], side="left")
    return np.sort(order[place < limit]).astype(np.int32)
