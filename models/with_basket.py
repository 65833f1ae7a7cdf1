"""What else goes into a basket: LightGBM tells it from the basket, its customer if known, and its place.

Learnt on past baskets of which a part was hidden, with everything else as of the day before the first of them. Each
basket is shown once more without its customer, so that guests are answered by the same model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import lightgbm as lgb
import numpy as np

from features.arrays import open_json, save_json
from features.customers import Long, owned_of
from features.history import Float, Int, Purchases, day_number, recoded
from models.basket_features import COLUMNS, BasketSources
from models.boosters import LEARNING, THREADS, open_booster, save_booster
from models.contracts import Bools, Queries, Recommender, Scored, ranked
from models.items import only_basket
from models.personal import Personal
from models.ranking import pairs
from models.reasons import Reason
from models.saved_settings import open_settings, save_settings

CHUNK = 128  # queries whose candidates are held at once
MOST_BASKETS = 3000  # that are learnt from, drawn at random
LEAST_LABELS = 50  # hidden products among the candidates, to learn at all
WINDOWS = 2  # of the settings' target days, whose baskets are learnt from
SHARE = 0.12  # of candidates that were not hidden, that are learnt from
TREES = 200
PARAMETERS: dict[str, Any] = {**LEARNING, "learning_rate": 0.05, "num_leaves": 15, "feature_fraction": 0.5}
SPEAKS = 5  # orders that hold both: fewer are named only where nothing else is known


@dataclass(frozen=True)
class Lesson:
    """Past baskets as queries of an earlier history, and the `pairs` of query and product hidden from them."""

    queries: Queries
    hidden: Long


class WithBasket(Recommender):
    """Products by the chance that they are in the rest of the basket; queries without a known product get nothing.

    `chance` is None where there was too little to learn from: similarity to the basket ranks then.
    """

    name: ClassVar[str] = "with_basket"
    proposers: BasketSources
    chance: lgb.Booster | None

    def fit(self, purchases: Purchases, fitted: dict[str, Recommender] | None = None) -> Self:
        """`fitted` are models of these purchases that need not be fitted again."""
        self.purchases, self.shared = purchases, fitted or {}
        self.chance = self._learnt(purchases)
        self.proposers = BasketSources.fit(purchases, self.settings, self.shared)
        return self

    def _learnt(self, purchases: Purchases) -> lgb.Booster | None:
        origin = purchases.as_of - timedelta(days=WINDOWS * self.settings.target_days)
        if int(purchases.day.min(initial=day_number(purchases.as_of))) > day_number(origin):
            return None
        earlier = BasketSources.fit(purchases.until(origin), self.settings, {})
        lesson = hide(purchases, earlier.purchases, self.settings.seed)
        features, label = _examples(earlier, lesson, self.settings.seed)
        if label.sum() < LEAST_LABELS:
            return None
        data = lgb.Dataset(features, label.astype(np.int8), weight=np.where(label, 1, 1 / SHARE),
                           feature_name=list(COLUMNS), params={"max_bin": LEARNING["max_bin"], "verbosity": -1}
                           )  # fmt: skip
        return lgb.train({**PARAMETERS, "seed": self.settings.seed}, data, num_boost_round=TREES)

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the logarithm of the odds that the product is in the rest of the basket."""
        empty = np.empty(0, np.int32)
        parts = [Scored(empty, empty, empty.astype(np.float32))]
        for at, chunk in _chunks(queries):
            asked = self.proposers.asked(chunk)
            query, product = self.proposers.pool(asked)
            features = self.proposers.features(asked, query, product)
            parts.append(ranked(at[query], product, self._told(features)).top(limit))
        return Scored(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("query", "product", "score"))
        )

    def _told(self, features: Float) -> Float:
        if self.chance is None:
            return features[:, COLUMNS.index("links_total")] + features[:, COLUMNS.index("solved")]
        if not len(features):
            return np.empty(0, np.float32)
        return np.asarray(self.chance.predict(features, num_threads=THREADS, raw_score=True), np.float32)

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        return self.said(queries, scored)[1]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        return self.said(queries, scored)[0]

    def said(self, queries: Queries, scored: Scored) -> tuple[list[str], list[Reason]]:
        """What the basket says where that is plain, else how the customer bought it, else who else did."""
        items, popular = self.proposers.models["items"], self.proposers.models["popular"]
        only = only_basket(queries)
        seed, together = items.strongest(only, scored)
        owned = owned_of(self.purchases, self.settings.half_life_days)
        entry = owned.find(queries.customer[scored.query], scored.product)
        said = np.select([together >= SPEAKS, entry >= 0, seed >= 0], [0, 1, 0], 2)
        names, why = [""] * len(said), cast("list[Reason]", [None] * len(said))
        for number, source, asked in ((0, items, only), (1, self._personal, queries), (2, popular, queries)):
            at = np.flatnonzero(said == number)
            part = Scored(scored.query[at], scored.product[at], scored.score[at])
            for index, its_name, reason in zip(at.tolist(), *source.said(asked, part), strict=True):
                names[index], why[index] = its_name, reason
        return names, why

    @cached_property
    def _personal(self) -> Personal:
        return Personal(self.settings).fit(self.purchases)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_json(folder, "with_basket", {"learnt": self.chance is not None})
        if self.chance is not None:
            save_booster(folder, "chance", self.chance)
        self.proposers.save(folder / "sources", self.shared)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases, fitted: dict[str, Recommender] | None = None) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases, opened.shared = purchases, fitted or {}
        learnt = open_json(folder, "with_basket")["learnt"]
        opened.chance = open_booster(folder, "chance") if learnt else None
        opened.proposers = BasketSources.open(folder / "sources", purchases, opened.settings, opened.shared)
        return opened


def _examples(earlier: BasketSources, lesson: Lesson, seed: int) -> tuple[Float, Bools]:
    """Features of what might have been hidden, and whether it was; only a SHARE of what was not."""
    random = np.random.default_rng([seed, 1])
    features, labels = [np.empty((0, len(COLUMNS)), np.float32)], [np.empty(0, bool)]
    for at, queries in _chunks(lesson.queries):
        asked = earlier.asked(queries)
        query, product = earlier.pool(asked)
        label = np.isin(pairs(at[query], product, len(earlier.purchases.products)), lesson.hidden)
        keep = np.flatnonzero(label | (random.random(len(label)) < SHARE))
        features.append(earlier.features(asked, query[keep], product[keep]))
        labels.append(label[keep])
    return np.concatenate(features), np.concatenate(labels)


def hide(purchases: Purchases, history: Purchases, seed: int) -> Lesson:
    """Baskets bought after `history` without some of their products: one of every second basket, some of the others.

    Each is asked about twice: as its customer's, and as nobody's.
    """
    random = np.random.default_rng([seed, day_number(history.as_of)])
    rows = _drawn(purchases, day_number(history.as_of), random)
    start = np.flatnonzero(np.diff(purchases.order[rows], prepend=-1))
    size = np.diff(np.append(start, len(rows)))
    some = 1 + np.floor(random.random(len(size)) * np.maximum(size - 1, 1)).astype(np.int64)
    count = np.where(random.random(len(size)) < 0.5, 1, some)
    basket = np.repeat(np.arange(len(size), dtype=np.int32), size)
    hidden = np.arange(len(rows)) - start[basket] < count[basket]
    product = recoded(purchases.products, history.products, purchases.product[rows])
    shown = np.flatnonzero(~hidden & (product >= 0))
    bounds = np.searchsorted(basket[shown], np.arange(1, len(size)))
    lists = tuple(np.split(product[shown], bounds)) if len(size) else ()
    first, nobody = rows[start], np.full(len(size), -1, np.int32)
    customer = recoded(purchases.customers, history.customers, purchases.customer[first])
    queries = Queries(
        customer=np.concatenate((customer, nobody)),
        location=np.tile(recoded(purchases.locations, history.locations, purchases.location[first]), 2),
        channel=np.tile(recoded(purchases.channels, history.channels, purchases.channel[first]), 2),
        basket=lists * 2,
        anchor=np.tile(nobody, 2),
        excluded=(np.empty(0, np.int32),) * (2 * len(size)),
    )
    at = np.flatnonzero(hidden & (product >= 0))
    key = [pairs(basket[at] + copy * len(size), product[at], len(history.products)) for copy in (0, 1)]
    return Lesson(queries, np.concatenate(key))


def _drawn(purchases: Purchases, after_day: int, random: np.random.Generator) -> Long:
    """Rows of at most MOST_BASKETS baskets after a day, by basket, each basket's in random order."""
    rows = np.flatnonzero(purchases.day > after_day)
    basket = np.unique(purchases.order[rows])
    if len(basket) > MOST_BASKETS:
        basket = random.choice(basket, MOST_BASKETS, replace=False)
        rows = rows[np.isin(purchases.order[rows], basket)]
    return rows[np.lexsort((random.random(len(rows)), purchases.order[rows]))]


def _chunks(queries: Queries) -> Iterator[tuple[Int, Queries]]:
    """The queries with a product in their basket, some at a time, and their positions."""
    filled = np.array([len(codes) > 0 for codes in queries.basket], bool)
    held = np.flatnonzero(filled).astype(np.int32)
    for begin in range(0, len(held), CHUNK):
        at = held[begin : begin + CHUNK]
        yield at, Queries(
            queries.customer[at], queries.location[at], queries.channel[at], tuple(queries.basket[i] for i in at),
            queries.anchor[at], tuple(queries.excluded[i] for i in at), queries.allowed,
        )  # fmt: skip
