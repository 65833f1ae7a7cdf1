"""The second stage: LightGBM tells the chance that each candidate is bought, by as-of features.

Learnt on past target windows: for each, everything (sources, statistics, features) is made anew from the history
before it, and its purchases are the labels: no feature ever saw one. What a customer owns and what it never bought
are told by two models, since other things decide: whether it is due, and whether it is taken up at all.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.arrays import open_json, save_json
from features.customers import customers_of
from features.errors import HistoryError
from features.history import EPOCH, Float, Int, Purchases, day_number
from models.boosters import LEARNING, THREADS, open_booster, save_booster
from models.candidates import MODELS, Candidates, Sources, learn_to_choose
from models.contracts import Bools, Queries, Recommender, Scored, ranked
from models.items import Items
from models.known import Known
from models.personal import Personal
from models.ranker_features import COLUMNS, RankerFeatures
from models.ranking import pairs
from models.reasons import OnPromotion, Reason
from models.repurchase import Repurchase
from models.saved_settings import open_settings, save_settings

CHUNK = 128  # queries whose candidates are held at once
LEAST_LABELS = 10  # hits among the candidates of a window, to learn from it
MOST_CUSTOMERS = 4000  # of a window, drawn at random
MOST_LINES = 20_000_000  # of a history that past windows are made from: whole customers, drawn at random
AT_ONCE = 2  # windows, and boosters, that are made side by side
POOL_SHARE = 0.15  # of what was proposed and not bought, that the choice of candidates is learnt from
PARTS = ("repeat", "explore")
WINDOW_ROWS = 150_000  # of a window, about: of candidates that were not bought as many are drawn as that leaves
TREES = {"repeat": 170, "explore": 100}
LEAVES_OF = {"repeat": 100, "explore": 200}  # rows in a leaf, at least, where there are many
FEW_ROWS = 400_000  # with fewer, the newest window says how many trees are enough
PATIENCE = 15  # trees without a better newest window
PARAMETERS: dict[str, Any] = {**LEARNING, "learning_rate": 0.07, "num_leaves": 31, "feature_fraction": 0.35}


@dataclass(frozen=True)
class Window:
    """One past window that was learnt from: customers active in it, rows, hits, and the share of truth found."""

    origin: str
    customers: int
    rows: int
    hits: int
    candidate_recall: float


@dataclass(frozen=True)
class _Lesson:
    """Rows of one window by part: features, whether bought, and the weight that undoes the drawing of rows."""

    rows: dict[str, tuple[Float, Bools, Float]]
    window: Window


class Ranker(Recommender):
    """Candidates by the chance that they are bought in the target window if anything is.

    `cycle` is the purchase cycle model whose outlook is among the features; `chances` one booster per part.
    """

    name: ClassVar[str] = "ranker"
    purchases: Purchases
    proposers: Sources
    features: RankerFeatures
    cycle: Repurchase
    chooser: lgb.Booster | None
    chances: dict[str, lgb.Booster | None]
    windows: list[Window]

    def fit(self, purchases: Purchases) -> Self:
        """Learn. Raises HistoryError when not one past window has purchases that could have been proposed.

        The oldest window teaches which candidates to choose, the others how likely they are bought.
        """
        days, whole = self.settings.target_days, purchases
        if len(whole) > MOST_LINES:
            purchases = whole.thinned(MOST_LINES / len(whole))
        origins = [purchases.as_of - timedelta(days=number * days)
                   for number in range(1, self.settings.label_windows + 2)]  # fmt: skip
        begins = EPOCH + timedelta(days=int(purchases.day.min()))
        origins = [origin for origin in origins if origin >= begins]
        oldest = origins[-1] if origins else purchases.as_of
        with ThreadPoolExecutor(AT_ONCE) as pool:
            cycle = pool.submit(Repurchase.fit, purchases.until(oldest), self.settings.seed)
            choice = pool.submit(self._choice, purchases, oldest) if len(origins) > 1 else None
            self.cycle, self.chooser = cycle.result(), choice.result() if choice else None
            made = pool.map(lambda origin: self._lesson(purchases, origin), origins[:-1] or origins)
            lessons = [lesson for lesson in made if lesson is not None]
            if not lessons:
                raise HistoryError(
                    f"the ranker found no week to learn from up to {purchases.as_of}: it needs known customers who "
                    f"bought both before and within the last {days} days; give more history, or set "
                    "recommend.recommender to personal or popular"
                )
            self.windows = [lesson.window for lesson in lessons]
            learnt = pool.map(lambda part: _learnt(lessons, part, self.settings.seed), PARTS)
            self.chances = dict(zip(PARTS, learnt, strict=True))
        self._fit_stages(whole, None)
        return self

    def _fit_stages(self, purchases: Purchases, customer: Int | None) -> None:
        self._fit_sources(purchases)
        self.features = RankerFeatures.fit(purchases, self.settings, self.cycle, customer)

    def _fit_sources(self, purchases: Purchases) -> None:
        self.purchases = purchases
        self.proposers = Sources.fit(purchases, self.settings)
        self.proposers.chooser = self.chooser

    def _asked(self, purchases: Purchases, history: Purchases, origin: date) -> tuple[Int, npt.NDArray[np.int64]]:
        """Who is asked about at a past origin, and the pairs of what they then bought, both in `history`'s codes."""
        asked, truth = _truth(purchases, history, origin, self.settings.target_days)
        if len(asked) > MOST_CUSTOMERS:
            random = np.random.default_rng([self.settings.seed, day_number(origin)])
            asked = np.sort(random.choice(asked, MOST_CUSTOMERS, replace=False))
        return asked, truth

    def _choice(self, purchases: Purchases, origin: date) -> lgb.Booster | None:
        """Which of the proposed products were bought after `origin`; None where too few were."""
        history = purchases.until(origin)
        asked, truth = self._asked(purchases, history, origin)
        if not len(asked):
            return None
        earlier = type(self)(self.settings)
        earlier.chooser = None
        earlier._fit_sources(history)
        random = np.random.default_rng([self.settings.seed, day_number(origin)])
        columns = []
        for _, queries in earlier._chunks(Queries.of_customers(asked)):
            known = earlier.proposers.known(queries)
            pool = earlier.proposers.pool(known)
            label = _bought(queries, pool, truth, len(history.products))
            keep = np.flatnonzero(label | (random.random(len(label)) < POOL_SHARE))
            columns.append((earlier.proposers.features(known, pool)[keep], label[keep]))
        features, label = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        if label.sum() < LEAST_LABELS:
            return None
        weight = np.where(label, 1, 1 / POOL_SHARE).astype(np.float32)
        return learn_to_choose(features, label, weight, self.settings.seed)

    def _lesson(self, purchases: Purchases, origin: date) -> _Lesson | None:
        """Features as of `origin` and labels of the days after it; None where there is nothing to learn."""
        history = purchases.until(origin)
        asked, truth = self._asked(purchases, history, origin)
        if not len(asked):
            return None
        earlier = type(self)(self.settings)
        earlier.cycle, earlier.chooser = self.cycle, self.chooser
        earlier._fit_stages(history, asked)
        random = np.random.default_rng([self.settings.seed, day_number(origin), 1])
        share = min(WINDOW_ROWS / (len(asked) * self.settings.candidates), 1.0)
        columns = []
        for _, queries in earlier._chunks(Queries.of_customers(asked)):
            known = earlier.proposers.known(queries)
            found = earlier.proposers.gather(known, self.settings.candidates)
            label = _bought(queries, found, truth, len(history.products))
            owned = known.own.find(found.query, found.product) >= 0
            keep = np.flatnonzero(label | (random.random(len(label)) < share))
            weight = np.where(label, 1, 1 / share)[keep].astype(np.float32)
            matrix = earlier.features.matrix(known, earlier.proposers, found)[keep]  # ranks are told among all
            columns.append((matrix, label[keep], owned[keep], weight))
        features, label, owned, weight = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        if label.sum() < LEAST_LABELS:
            return None
        recall = label.sum() / max(np.isin(truth // len(history.products), asked).sum(), 1)
        window = Window(origin.isoformat(), len(asked), len(label), int(label.sum()), float(recall))
        rows = {part: (features[at], label[at], weight[at]) for part, at in zip(PARTS, (owned, ~owned), strict=True)}
        return _Lesson(rows, window)

    def _chunks(self, queries: Queries) -> Iterator[tuple[Int, Queries]]:
        """The queries of known customers, some at a time, at their usual location where they name none."""
        usual = customers_of(self.purchases, self.settings.half_life_days).home_location
        known = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        for begin in range(0, len(known), CHUNK):
            at = known[begin : begin + CHUNK]
            part = _part(queries, at)
            location = np.where(part.location < 0, usual[part.customer], part.location).astype(np.int32)
            yield at, replace(part, location=location)

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the chance of a purchase within the target days if the customer buys anything then."""
        nothing = np.empty(0, np.int32)
        parts = [Scored(nothing, nothing, np.empty(0, np.float32))]
        for at, chunk in self._chunks(queries):
            known = self.proposers.known(chunk)
            found = self.proposers.gather(known, max(self.settings.candidates, limit))
            parts.append(ranked(at[found.query], found.product, self.chance(known, found)).top(limit))
        return Scored(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("query", "product", "score"))
        )

    def chance(self, known: Known, found: Candidates) -> Float:
        """Chance that each candidate of a chunk is bought, float32 [candidates]."""
        matrix = self.features.matrix(known, self.proposers, found)
        owned = known.own.find(found.query, found.product) >= 0
        chance = np.zeros(len(found), np.float32)
        for part, at in zip(PARTS, (np.flatnonzero(owned), np.flatnonzero(~owned)), strict=True):
            booster = self.chances[part]
            if booster is not None and len(at):
                chance[at] = np.asarray(booster.predict(matrix[at], num_threads=THREADS))
        return chance

    def candidates(self, queries: Queries, limit: int = 0) -> Candidates:
        """What the first stage proposes to known customers, at least `limit` if there is so much."""
        parts = [self._nothing]
        for at, chunk in self._chunks(queries):
            found = self.proposers.gather(self.proposers.known(chunk), max(self.settings.candidates, limit))
            parts.append(replace(found, query=at[found.query]))
        names = ("query", "product", "source", "score")
        return Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def _nothing(self) -> Candidates:
        nothing = np.empty(0, np.int32)
        return Candidates(nothing, nothing, nothing, np.empty((0, len(MODELS)), np.float32))

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """The reason of the source that speaks most plainly for the entry."""
        return self.said(queries, scored)[1]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        return self.said(queries, scored)[0]

    def said(self, queries: Queries, scored: Scored) -> tuple[list[str], list[Reason]]:
        """Own products speak for themselves; then an offer at the shop asked about; what goes with them; popularity."""
        own: Any = self.proposers.models
        personal = self._personal
        owned = personal.owned.find(queries.customer[scored.query], scored.product) >= 0
        offered, until = self._offered(queries, scored)
        items: Items = own["items"]
        linked = items.strongest(queries, scored)[1] > 0
        said = np.select([owned, offered, linked], [0, 1, 2], 3)
        names, why = [""] * len(said), cast("list[Reason]", [None] * len(said))
        for number, source in ((0, personal), (2, items), (3, own["popular"])):
            at = np.flatnonzero(said == number)
            part = Scored(scored.query[at], scored.product[at], scored.score[at])
            for index, its_name, reason in zip(at.tolist(), *source.said(queries, part), strict=True):
                names[index], why[index] = its_name, reason
        for index in np.flatnonzero(said == 1).tolist():
            names[index], why[index] = "promoted", OnPromotion(until[index])
        return names, why

    @cached_property
    def _personal(self) -> Personal:
        return Personal(self.settings).fit(self.purchases)

    def _offered(self, queries: Queries, scored: Scored) -> tuple[Bools, list[date]]:
        """Whether a promotion at the query's own location holds on the day after the history, and its last day."""
        if self.proposers.promoted is None:
            return np.zeros(len(scored.query), bool), []
        kind, ends = self.proposers.promoted.find(queries.location[scored.query], scored.product)
        return kind > 0, [EPOCH + timedelta(days=day) for day in ends.tolist()]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        self.proposers.save(folder / "sources")
        self.features.save(folder / "features")
        self.cycle.save(folder / "cycle")
        learnt = {part: booster for part, booster in self.chances.items() if booster is not None}
        save_json(folder, "ranker", {"windows": [asdict(window) for window in self.windows], "learnt": list(learnt)})
        for part, booster in learnt.items():
            save_booster(folder, part, booster)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened, content = cls(open_settings(folder)), open_json(folder, "ranker")
        opened.purchases = purchases
        opened.proposers = Sources.open(folder / "sources", purchases, opened.settings)
        opened.chooser = opened.proposers.chooser
        opened.features = RankerFeatures.open(folder / "features", purchases, opened.settings)
        opened.cycle = Repurchase.open(folder / "cycle")
        opened.windows = [Window(**window) for window in content["windows"]]
        opened.chances = {part: open_booster(folder, part) if part in content["learnt"] else None for part in PARTS}
        return opened


def _part(queries: Queries, at: Int) -> Queries:
    """The queries at these positions."""
    return Queries(
        queries.customer[at], queries.location[at], queries.channel[at], tuple(queries.basket[i] for i in at),
        queries.anchor[at], tuple(queries.excluded[i] for i in at), queries.allowed,
    )  # fmt: skip


def _truth(purchases: Purchases, earlier: Purchases, origin: date, days: int) -> tuple[Int, npt.NDArray[np.int64]]:
    """Customers known at `origin` who bought in the `days` after it, and their (customer, product) pairs, in the
    earlier history's codes; products unknown by then are left out of the pairs."""
    first = day_number(origin) + 1
    rows = np.flatnonzero((purchases.day >= first) & (purchases.day < first + days) & (purchases.customer >= 0))
    customer = earlier.customers.codes(purchases.customers.values)[purchases.customer[rows]]
    product = earlier.products.codes(purchases.products.values)[purchases.product[rows]]
    active = np.unique(customer[customer >= 0])
    known = (customer >= 0) & (product >= 0)
    return active, np.unique(pairs(customer[known], product[known], len(earlier.products)))


def _bought(queries: Queries, found: Candidates, truth: npt.NDArray[np.int64], products: int) -> Bools:
    return np.isin(pairs(queries.customer[found.query], found.product, products), truth)


def _learnt(lessons: list[_Lesson], part: str, seed: int) -> lgb.Booster | None:
    """The booster of a part; None where too few of its products were bought."""
    rows = [lesson.rows[part] for lesson in lessons if len(lesson.rows[part][1])]
    bought = sum(int(label.sum()) for _, label, _ in rows)
    if bought < LEAST_LABELS:
        return None
    # few purchases bear neither large leaves nor strong shrinkage: all would be told the same chance
    parameters = {
        **PARAMETERS, "seed": seed, "min_data_in_leaf": int(np.clip(bought // 20, 5, LEAVES_OF[part])),
        "lambda_l2": float(np.clip(bought / 200, 0.1, LEARNING["lambda_l2"])),
    }  # fmt: skip
    trees = TREES[part]
    if len(rows) > 1 and sum(len(label) for _, label, _ in rows) < FEW_ROWS:
        newest, older = _dataset(rows[:1]), _dataset(rows[1:])
        found = lgb.train(parameters, older, trees, valid_sets=[newest],
                          callbacks=[lgb.early_stopping(PATIENCE, verbose=False)])  # fmt: skip
        trees = max(found.best_iteration, 1)
    return lgb.train(parameters, _dataset(rows), trees)


def _dataset(rows: list[tuple[Float, Bools, Float]]) -> lgb.Dataset:
    features, labels, weights = zip(*rows, strict=True)
    return lgb.Dataset(
        list(features), np.concatenate(labels).astype(np.int8), weight=np.concatenate(weights),
        feature_name=list(COLUMNS), params={"max_bin": LEARNING["max_bin"], "verbosity": -1},
    )  # fmt: skip
