"""Metrics of several methods household by household, and paired intervals of how much better one is.

Households are drawn again with replacement, with all their weeks, and the same draws serve all methods: what a hard
week or a hard household does to every method alike drops out of their difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from features.history import Float
from models.contracts import Bools
from training.recommend_lists import Measured

Numbers = npt.NDArray[np.float64]
ROUNDS = 1000


@dataclass
class Week:
    """What every household asked about at one cut-off got; `values` by method, part and metric, NaN where no truth."""

    cutoff: date
    households: list[str]
    groups: dict[str, Bools] = field(default_factory=dict)
    values: dict[tuple[str, str, str], Float] = field(default_factory=dict)

    def add(self, method: str, measured: Measured) -> None:
        self.values |= {(method, *key): value for key, value in measured.items()}


@dataclass(frozen=True)
class Gain:
    """How much better a method is than the best other one: `value` is relative, 0.05 = five per cent."""

    part: str
    metric: str
    best: str
    method_mean: float
    best_mean: float
    value: float
    low: float
    high: float


class Weeks:
    """Several cut-offs together; every mean is that over the cut-offs of the mean over households."""

    def __init__(self, weeks: Sequence[Week], seed: int, rounds: int = ROUNDS) -> None:
        self.weeks = list(weeks)
        everyone = sorted({household for week in weeks for household in week.households})
        code = {household: number for number, household in enumerate(everyone)}
        self._codes = [np.array([code[one] for one in week.households], np.int64) for week in weeks]
        random = np.random.default_rng(seed)
        count = len(everyone)
        self._draws: Float = random.multinomial(count, np.full(count, 1 / count), rounds).astype(np.float32)

    @property
    def methods(self) -> list[str]:
        """In the order judged, the ranker last: it is fitted first, since others are its sources."""
        found = dict.fromkeys(method for week in self.weeks for method, _, _ in week.values)
        return sorted(found, key=lambda name: name == "ranker")

    def mean(self, method: str, part: str, metric: str, group: str = "") -> float:
        """NaN where no cut-off has a household of the group with a truth."""
        return (
            float(np.mean(means)) if (means := list(self.by_cutoff(method, part, metric, group).values())) else np.nan
        )

    def by_cutoff(self, method: str, part: str, metric: str, group: str = "") -> dict[str, float]:
        """The mean over households of each cut-off that has any of the group with a truth."""
        each = zip(self.weeks, self._values(method, part, metric, group), strict=True)
        return {
            week.cutoff.isoformat(): float(np.nanmean(values)) for week, values in each if not np.isnan(values).all()
        }

    def interval(self, method: str, part: str, metric: str, group: str = "") -> tuple[float, float]:
        """Bounds of 95 % of the mean."""
        return bounds(self.drawn(method, part, metric, group))

    def drawn(self, method: str, part: str, metric: str, group: str = "") -> Numbers:
        """The mean in each round of drawing the households again, float64 [rounds]."""
        means = []
        for codes, values in zip(self._codes, self._values(method, part, metric, group), strict=True):
            there = ~np.isnan(values)
            if there.any():
                drawn = self._draws[:, codes[there]].astype(np.float64)
                with np.errstate(invalid="ignore"):
                    means.append(drawn @ values[there] / drawn.sum(axis=1))
        return np.mean(means, axis=0) if means else np.full(len(self._draws), np.nan)

    def best(self, names: Sequence[str], part: str, metric: str) -> str:
        """The method with the highest mean, the first among equals."""
        return max(names, key=lambda name: self.mean(name, part, metric))

    def gain(self, method: str, part: str, metric: str) -> Gain:
        """Of the method over the best other one by this measure, which is chosen once and not in every round."""
        best = self.best([name for name in self.methods if name != method], part, metric)
        mean, other = (self.mean(name, part, metric) for name in (method, best))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = self.drawn(method, part, metric) / self.drawn(best, part, metric) - 1
        return Gain(part, metric, best, mean, other, mean / other - 1 if other else np.nan, *bounds(drawn))

    def _values(self, method: str, part: str, metric: str, group: str) -> list[Numbers]:
        """One array per cut-off, NaN also outside the group."""
        found = []
        for week in self.weeks:
            values = week.values[method, part, metric].astype(np.float64)
            members = week.groups.get(group, np.zeros(len(values), bool)) if group else np.ones(len(values), bool)
            found.append(np.where(members, values, np.nan))
        return found


def bounds(drawn: Numbers) -> tuple[float, float]:
    """Between which 95 % of the rounds lie; NaN where a round has no figure, as with very few households."""
    if not np.isfinite(drawn).all():
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
