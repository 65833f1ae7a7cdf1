"""The second stage: LightGBM orders the candidates by as-of features, learnt on past target windows.

For each of `label_windows` windows of `target_days` before as_of, everything (sources, statistics, features) is
made anew from the history before the window, and the window's purchases are the labels: no feature ever saw one.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import lightgbm as lgb
import numpy as np

from features.arrays import open_json, save_json
from features.errors import BundleError, HistoryError
from features.history import Float, Int, Purchases, day_number
from models.candidates import Candidates, Sources
from models.contracts import Queries, Recommender, Scored, ranked
from models.ranker_features import COLUMNS, RankerFeatures
from models.ranking import pairs
from models.reasons import Reason
from models.saved_settings import open_settings, save_settings

TREES = 150
THREADS = 1  # two threads wait for each other at every split: on busy machines they take twice the time of one
LEAST_LABELS = 10  # hits among the candidates of a window, to learn from it
MOST_CUSTOMERS = 8000  # of a window, drawn at random
NEGATIVES = 60  # candidates of a customer that were not bought and that are learnt from, about
PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank", "lambdarank_truncation_level": 20, "learning_rate": 0.06, "num_leaves": 24,
    "min_data_in_leaf": 50, "feature_fraction": 0.6, "max_bin": 63, "deterministic": True, "force_row_wise": True,
    "verbosity": -1, "num_threads": THREADS,
}  # fmt: skip


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
    features: Float
    label: Int
    group: Int
    window: Window


class Ranker(Recommender):
    """Candidates in the order that a lambdarank model gives them."""

    name: ClassVar[str] = "ranker"
    purchases: Purchases
    proposers: Sources
    features: RankerFeatures
    booster: lgb.Booster
    windows: list[Window]

    def fit(self, purchases: Purchases) -> Self:
        """Learn. Raises HistoryError when not one past window has purchases that could have been proposed."""
        lessons = []
        for number in range(1, self.settings.label_windows + 1):
            origin = purchases.as_of - timedelta(days=number * self.settings.target_days)
            lesson = self._lesson(purchases, origin)
            if lesson is not None:
                lessons.append(lesson)
        if not lessons:
            raise HistoryError(
                f"the ranker found no week to learn from up to {purchases.as_of}: it needs known customers who bought "
                f"both before and within the last {self.settings.target_days} days; give more history, or set "
                "recommend.recommender to personal or popular"
            )
        self.windows = [lesson.window for lesson in lessons]
        self.booster = _train(lessons, self.settings.seed)
        self._fit_stages(purchases)
        return self

    def _fit_stages(self, purchases: Purchases) -> None:
        self.purchases = purchases
        self.proposers = Sources.fit(purchases, self.settings)
        self.features = RankerFeatures.fit(purchases, self.settings.half_life_days)

    def _lesson(self, purchases: Purchases, origin: date) -> _Lesson | None:
        """Features as of `origin` and labels of the days after it; None where there is nothing to learn."""
        if origin < date.fromordinal(date(1970, 1, 1).toordinal() + int(purchases.day.min())):
            return None
        earlier = type(self)(self.settings)
        earlier._fit_stages(purchases.until(origin))
        query_of, truth = _truth(purchases, earlier.purchases, origin, self.settings.target_days)
        if not len(query_of):
            return None
        random = np.random.default_rng([self.settings.seed, day_number(origin)])
        if len(query_of) > MOST_CUSTOMERS:
            query_of = np.sort(random.choice(query_of, MOST_CUSTOMERS, replace=False))
        queries = earlier._at_home(Queries.of_customers(query_of))
        found = earlier.proposers.gather(queries, self.settings.candidates)
        products = len(earlier.purchases.products)
        label = np.isin(pairs(query_of[found.query], found.product, products), truth)
        if label.sum() < LEAST_LABELS:
            return None
        recall = label.sum() / max(np.isin(truth // products, query_of).sum(), 1)
        share = min(NEGATIVES / self.settings.candidates, 1.0)
        keep = label | (random.random(len(label)) < share)
        kept = Candidates(found.query[keep], found.product[keep], found.score[keep], found.rank[keep])
        group = np.bincount(kept.query, minlength=len(query_of))
        window = Window(origin.isoformat(), len(query_of), int(keep.sum()), int(label.sum()), float(recall))
        return _Lesson(earlier.features.matrix(queries, kept), label[keep].astype(np.int32),
                       group[group > 0].astype(np.int32), window)  # fmt: skip

    def _at_home(self, queries: Queries) -> Queries:
        """Customers without a location are asked about at their usual one."""
        usual = self.features.customers.home_location
        unsaid = (queries.location < 0) & (queries.customer >= 0)
        location = queries.location.copy()
        location[unsaid] = usual[queries.customer[unsaid]]
        return replace(queries, location=location)

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the model's; a stranger has no entries."""
        found = self.candidates(queries, limit)
        if not len(found.query):
            return Scored(found.query, found.product, np.empty(0, np.float32))
        matrix = self.features.matrix(self._at_home(queries), found)
        score = np.asarray(self.booster.predict(matrix, num_threads=THREADS))
        return ranked(found.query, found.product, score).top(limit)

    def candidates(self, queries: Queries, limit: int = 0) -> Candidates:
        """What the first stage proposes to known customers, at least `limit` if there is so much."""
        known = np.flatnonzero(queries.customer >= 0).astype(np.int32)
        asked = self._at_home(_part(queries, known))
        found = self.proposers.gather(asked, max(self.settings.candidates, limit))
        return replace(found, query=known[found.query] if len(known) else found.query)

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """The reason of the source that speaks most plainly for the entry."""
        return self.said(queries, scored)[1]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        return self.said(queries, scored)[0]

    def said(self, queries: Queries, scored: Scored) -> tuple[list[str], list[Reason]]:
        """Own products speak for themselves; then what goes with them; then popularity at the shop asked about."""
        owned = self.features.owned.find(queries.customer[scored.query], scored.product) >= 0
        items: Any = self.proposers.fitted["items"]
        linked = items.strongest(queries, scored)[1] > 0
        said = np.where(owned, 0, np.where(linked, 1, 2))
        names, why = [""] * len(said), cast("list[Reason]", [None] * len(said))
        for number, name in enumerate(("personal", "items", "popular")):
            at = np.flatnonzero(said == number)
            if not len(at):
                continue
            part = Scored(scored.query[at], scored.product[at], scored.score[at])
            source = self.proposers.fitted[name]
            told = zip(at.tolist(), *source.said(queries, part), strict=True)
            for index, its_name, reason in told:
                names[index], why[index] = its_name, reason
        return names, why

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        self.proposers.save(folder / "sources")
        self.features.save(folder / "features")
        save_json(folder, "windows", [asdict(window) for window in self.windows])
        (folder / "ranker.txt").write_text(self.booster.model_to_string(), "utf-8")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.proposers = Sources.open(folder / "sources", purchases)
        opened.features = RankerFeatures.open(folder / "features", purchases, opened.settings.half_life_days)
        opened.windows = [Window(**window) for window in open_json(folder, "windows")]
        path = folder / "ranker.txt"
        try:
            opened.booster = lgb.Booster(model_str=path.read_text("utf-8"))
        except (OSError, lgb.basic.LightGBMError) as fault:
            raise BundleError(f"{path} is missing or damaged ({fault}): train and release again") from fault
        return opened


def _part(queries: Queries, at: Int) -> Queries:
    """The queries at these positions."""
    return Queries(
        queries.customer[at], queries.location[at], queries.channel[at], tuple(queries.basket[i] for i in at),
        queries.anchor[at], tuple(queries.excluded[i] for i in at), queries.allowed,
    )  # fmt: skip


def _truth(purchases: Purchases, earlier: Purchases, origin: date, days: int) -> tuple[Int, Int]:
    """Customers known at `origin` who bought in the `days` after it, and their (customer, product) pairs, in the
    earlier history's codes; products unknown by then are left out of the pairs."""
    first = day_number(origin) + 1
    rows = np.flatnonzero((purchases.day >= first) & (purchases.day < first + days) & (purchases.customer >= 0))
    customer = earlier.customers.codes(purchases.customers.values)[purchases.customer[rows]]
    product = earlier.products.codes(purchases.products.values)[purchases.product[rows]]
    active = np.unique(customer[customer >= 0])
    known = (customer >= 0) & (product >= 0)
    return active, np.unique(pairs(customer[known], product[known], len(earlier.products)))


def _train(lessons: list[_Lesson], seed: int) -> lgb.Booster:
    data = lgb.Dataset(
        np.concatenate([lesson.features for lesson in lessons]),
        np.concatenate([lesson.label for lesson in lessons]),
        group=np.concatenate([lesson.group for lesson in lessons]),
        feature_name=list(COLUMNS),
        params={"max_bin": PARAMETERS["max_bin"], "verbosity": -1},
    )
    return lgb.train({**PARAMETERS, "seed": seed}, data, num_boost_round=TREES)
