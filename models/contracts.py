"""What every recommender and every forecaster can do, so that they can be exchanged, compared and served.

A recommender learns from `Purchases` and answers queries with ranked products. A forecaster learns from a
`Panel` and answers with the distribution of each coming day's demand. External ids cross their doors;
integer codes stay inside.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.history import Float, Int, Purchases
from features.panel import Panel
from features.tables import FORECAST_LEVELS
from models.reasons import Reason
from models.settings import RecommendSettings

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Query:
    """Who asks, where, and with what in the basket. Everything is optional and may be unknown to the model."""

    customer_id: str | None = None
    location_id: str | None = None
    channel: str | None = None
    basket: tuple[str, ...] = ()
    product_id: str | None = None  # the product to which others shall be similar
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recommendation:
    """One line of an answer: `source` names what proposed it, `reason` holds why, in facts of the history."""

    product_id: str
    score: float
    source: str
    reason: Reason


@dataclass(frozen=True)
class Queries:
    """Many queries in a model's codes (-1 = unknown); all arrays have one entry per query.

    `allowed` is bool [products] or None: products that any answer may name.
    """

    customer: Int
    location: Int
    channel: Int
    basket: tuple[Int, ...]
    anchor: Int  # Query.product_id
    excluded: tuple[Int, ...]
    allowed: Bools | None = None

    def __len__(self) -> int:
        return len(self.customer)

    @classmethod
    def of_customers(cls, customer: Int, location: Int | None = None) -> Self:
        """Queries of known customers with nothing else said."""
        unknown = np.full(len(customer), -1, np.int32)
        nothing = (np.empty(0, np.int32),) * len(customer)
        return cls(customer, unknown if location is None else location, unknown, nothing, unknown, nothing)


@dataclass(frozen=True)
class Scored:
    """Ranked products of many queries, sorted by query, then score (descending), then product code.

    `query` int32, `product` int32 and `score` float32 all have one entry per (query, product).
    """

    query: Int
    product: Int
    score: Float

    def top(self, limit: int) -> "Scored":
        """The first `limit` entries of each query."""
        start = np.searchsorted(self.query, self.query, side="left")
        keep = np.arange(len(self.query)) - start < limit
        return Scored(self.query[keep], self.product[keep], self.score[keep])


def ranked(query: Int, product: Int, score: npt.NDArray[np.floating[Any]]) -> Scored:
    """Sort into the order that `Scored` promises.

    Query and falling score make one 64-bit key, which sorts several times as fast as three columns; only
    entries with equal keys are then put in the order of their products.
    """
    score = score.astype(np.float32) + np.float32(0)  # no negative zero
    bits = score.view(np.uint32)
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    key = (query.astype(np.uint64) << np.uint64(32)) | (~rising).astype(np.uint64)
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    tied = np.append(same, False) | np.append(False, same) if len(key) else np.zeros(0, bool)
    among = order[tied]
    order[tied] = among[np.lexsort((product[among], key[among]))]
    return Scored(query[order].astype(np.int32), product[order].astype(np.int32), score[order])


class Recommender(ABC):
    """Learns a purchase history; ranks products for customers. Fitted by `fit`, reopened by `open`.

    Every implementation is a pure function of the purchases given, its settings and its seed.
    """

    name: ClassVar[str]  # the roster's name

    purchases: Purchases

    def __init__(self, settings: RecommendSettings) -> None:
        self.settings = settings

    @abstractmethod
    def fit(self, purchases: Purchases) -> Self:
        """Learn from every row of `purchases`; forget what was learnt before."""

    @abstractmethod
    def score(self, queries: Queries, limit: int) -> Scored:
        """Rank at most `limit` products per query by the model's own evidence; no evidence, no entries.

        `queries.excluded` and products not `allowed` never occur. Fallbacks are the surface's business.
        """

    @abstractmethod
    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """One claim per entry of `scored`, of facts that can be recomputed from the history."""

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        """What proposed each entry of `scored`; the recommender's own name where it has one source only."""
        return [self.name] * len(scored.query)

    def said(self, queries: Queries, scored: Scored) -> tuple[list[str], list[Reason]]:
        """`sources` and `reasons` at once, for those that find both in the same work."""
        return self.sources(queries, scored), self.reasons(queries, scored)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything `score` needs as plain files (.npy, JSON, LightGBM text) into `folder`."""

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        """Reopen what `save` wrote. `purchases` is the history that it was fitted on.

        Raises BundleError when a file is missing or damaged.
        """


@dataclass(frozen=True)
class Forecast:
    """Demand per series and coming day.

    mean_units  float32 [series, horizon]
    quantiles   float32 [series, horizon, levels], never falling along the last axis
    """

    made_on: date
    product_ids: list[str]
    location_ids: list[str]
    mean_units: Float
    quantiles: Float
    levels: tuple[float, ...] = field(default=FORECAST_LEVELS)

    @property
    def horizon_days(self) -> int:
        return int(self.mean_units.shape[1])


class Forecaster(ABC):
    """Learns a demand panel; forecasts the days after a panel's end as a distribution.

    Fitted on one panel, it may forecast from a later one (fresh rows, same model) but never reads a column
    after that panel's `as_of`.
    """

    name: ClassVar[str]

    @abstractmethod
    def fit(self, panel: Panel) -> Self:
        """Learn from the panel. Raises HistoryError when it is too short, saying how many days are needed."""

    @abstractmethod
    def forecast(self, panel: Panel, horizon_days: int) -> Forecast:
        """Forecast each series of `panel` for days as_of + 1 … as_of + horizon_days."""

    @abstractmethod
    def sums(self, panel: Panel, days: int, levels: Sequence[float]) -> Float:
        """Quantiles of the *total* demand over the next `days` days, float32 [series, levels].

        Daily quantiles do not add up, so this is calibrated on totals, not derived from `forecast`.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `forecast` and `sums` need as plain files."""

    @classmethod
    @abstractmethod
    def open(cls, folder: Path) -> Self:
        """Reopen what `save` wrote. Raises BundleError when a file is missing or damaged."""
