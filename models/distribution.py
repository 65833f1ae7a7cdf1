"""What a forecaster's own past says about its errors: daily and over whole periods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, Self

import numpy as np

from features.demand import Panel
from features.errors import HistoryError
from features.history import Float
from models.level_sets import LevelSets
from models.observed import last_observed, observed_units

PERIODS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 21, 28, 35, 42, 60, 90, 120, 150, 180)
SPREAD_DAYS = 182  # window of the own spread
SPREAD_PRIOR_DAYS = 14  # the own spread starts as if so many days had varied as a Poisson of the same mean
MAX_PAIRS = 600_000


class Past(NamedTuple):
    """One past origin: what was forecast, what happened, and how variable the series had been by then.

    mean, actual  float32 [series, horizon]; actual is NaN on days that do not show demand
    spread        float32 [series]
    """

    mean: Float
    actual: Float
    spread: Float


@dataclass(frozen=True)
class Distribution:
    """Level sets for single days and for sums over each of `periods` days."""

    daily: LevelSets
    periods: tuple[int, ...]
    sums: tuple[LevelSets, ...]

    @classmethod
    def fit(cls, past: Iterable[Past]) -> Self:
        """Learn from past origins; all must have the same horizon."""
        past = list(past)
        horizon = past[0].mean.shape[1]
        periods = tuple(sorted({days for days in PERIODS if days <= horizon} | {horizon}))
        return cls(_daily_sets(past), periods, tuple(_sum_sets(past, days) for days in periods))

    def of_days(self, mean: Float, spread: Float, levels: Sequence[float]) -> Float:
        """Quantiles of single days for means [series, horizon]; float32 [series, horizon, levels]."""
        series, horizon = mean.shape
        flat = self.daily.at(mean.ravel(), np.repeat(spread, horizon), levels)
        return flat.reshape(series, horizon, len(levels))

    def of_sums(self, mean: Float, spread: Float, days: int, levels: Sequence[float]) -> Float:
        """Quantiles of the demand of `days` days together, whose means are `mean` [series]; float32 [series, levels].

        Between two learnt periods their quantiles are interpolated at the same mean per day; beyond the longest
        its quantiles are scaled up, which errs on the wide side.
        """
        upper = min(int(np.searchsorted(self.periods, days)), len(self.periods) - 1)
        lower = upper if self.periods[upper] <= days else upper - 1
        answers = [self._scaled_sums(which, mean, spread, days, levels) for which in (lower, upper)]
        if lower == upper:
            return answers[0]
        share = np.float32((days - self.periods[lower]) / (self.periods[upper] - self.periods[lower]))
        return np.asarray(answers[0] * (1 - share) + answers[1] * share)

    def _scaled_sums(self, which: int, mean: Float, spread: Float, days: int, levels: Sequence[float]) -> Float:
        scale = np.float32(days / self.periods[which])
        return self.sums[which].at(mean / scale, spread, levels) * scale

    def content(self) -> dict[str, Any]:
        """What `restored` needs, as JSON can hold it without loss."""
        return {"daily": self.daily.content(), "periods": list(self.periods),
                "sums": [sets.content() for sets in self.sums]}  # fmt: skip

    @classmethod
    def restored(cls, content: dict[str, Any]) -> Self:
        """The distribution that `content` came from."""
        return cls(LevelSets.restored(content["daily"]), tuple(content["periods"]),
                   tuple(LevelSets.restored(sets) for sets in content["sums"]))  # fmt: skip


def past_origins(panel: Panel, horizon_days: int, count: int, step_days: int) -> list[tuple[date, int]]:
    """Up to `count` past origins, newest first, and how many days each can be judged on.

    The days judged are the horizon, or half of the history where that is shorter. Raises HistoryError below
    2 days of history.
    """
    if panel.days < 2 or len(panel) == 0:
        raise HistoryError(
            f"the demand panel has {len(panel)} series over {panel.days} days up to {panel.as_of}: forecasts need "
            "at least one series and 2 days; ingest more history, or lower min_sale_days in the recipe's [forecast]"
        )
    judged = min(horizon_days, panel.days // 2)
    shortest = min(8 * 7, panel.days - judged)  # days of history that an origin must have before it
    back = [judged + step * step_days for step in range(count)]
    return [(panel.as_of - timedelta(days=days), judged) for days in back if panel.days - days >= shortest]


def actual_after(panel: Panel, origin: date, days: int) -> Float:
    """Units observed on the `days` days after `origin`, for the series of panel.until(origin), in their order."""
    column = panel.days - (panel.as_of - origin).days
    keep = ~np.isnan(panel.units[:, column - 1])
    return observed_units(panel)[keep, column : column + days]


def own_spread(panel: Panel) -> Float:
    """Standard deviation of each series' daily units over its last half year, float32 [series].

    A short history counts less: the variance starts from a Poisson's of the same mean.
    """
    observed = observed_units(panel)[:, -SPREAD_DAYS:]
    seen = last_observed(observed, SPREAD_DAYS)
    days = seen.sum(axis=1)
    units = np.where(seen, observed, 0).astype(np.float64)
    mean = units.sum(axis=1) / np.maximum(days, 1)
    squares = np.where(seen, (units - mean[:, None]) ** 2, 0).sum(axis=1)
    variance = (squares + SPREAD_PRIOR_DAYS * mean) / (days + SPREAD_PRIOR_DAYS)
    return np.asarray(np.sqrt(variance), np.float32)


def _daily_sets(past: list[Past]) -> LevelSets:
    mean = np.concatenate([origin.mean.ravel() for origin in past])
    actual = np.concatenate([origin.actual.ravel() for origin in past])
    spread = np.concatenate([np.repeat(origin.spread, origin.mean.shape[1]) for origin in past])
    return _sets(mean, actual, spread)


def _sum_sets(past: list[Past], days: int) -> LevelSets:
    mean = np.concatenate([origin.mean[:, :days].sum(axis=1, dtype=np.float64) for origin in past])
    actual = np.concatenate([origin.actual[:, :days].sum(axis=1, dtype=np.float64) for origin in past])
    return _sets(mean, actual, np.concatenate([origin.spread for origin in past]))


def _sets(mean: Float, actual: Float, spread: Float) -> LevelSets:
    shown = np.flatnonzero(~np.isnan(actual))
    if len(shown) == 0:
        raise HistoryError(
            "no series had sold often enough by any past origin, or no day after it shows demand (closed, out of "
            "stock): ingest more history, lower min_sale_days, or check available_share in the stock source"
        )
    shown = shown[:: -(-len(shown) // MAX_PAIRS)]
    return LevelSets.fit(mean[shown], actual[shown], spread[shown])
