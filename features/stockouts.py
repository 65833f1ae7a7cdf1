"""Suspected stock-outs: runs of days without a sale that are improbable under what the series sold before them.

A flag for people to look at and no truth: units are never changed, and where stock is known it is believed instead.

Each run is judged by the eight weeks before the sale that it follows. The chance that a day sells nothing comes from a
negative binomial with the weekday's mean and the series' own variance, and is never below the share of such days that
sold nothing before. The rate of the run itself is uncertain, as a gamma with at most MOST_EVIDENCE expected sales
behind it, so that a slow seller, or a rate that drifts, makes no run impossible. The chance is multiplied by the number
of runs of the series (Bonferroni), so that a long history does not find by looking often. A series is judged by itself:
which others are in the panel makes no difference.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from features.history import Float
from features.panel import Panel
from features.sources import Settings

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]

WEEK = 7
WINDOW_WEEKS = 8
WINDOW_DAYS = WEEK * WINDOW_WEEKS
WEEKDAY_VARIANCE = 0.1  # of the factors by which weekdays differ, before anything is seen of a series
PRIOR_DAYS = 4.0  # a share of days without a sale begins as if so many days had been as its prior says
MOST_EVIDENCE = 20.0  # rates drift: no history says more of the next weeks than so many expected sales
RUNS_AT_A_TIME = 100_000
NO_CHANCE = 1e-300
LEAST_UNITS = 1e-9


class StockoutSettings(Settings):
    """When a run of days without a sale is suspected to be a stock-out."""

    chance: float = Field(default=0.01, gt=0, lt=1, description="a run less probable than this is suspected")
    least_days: int = Field(default=14, ge=2, description="days that must be seen before a run to judge it")
    longest_days: int = Field(default=42, ge=1, description="a longer run is rather a product that is no longer sold")


@dataclass(frozen=True)
class SuspectedStockouts:
    """Flags of a panel's days, as of its last day; every matrix is [series, days].

    suspected     bool
    chance        float32: the chance that demand alone leaves the day's run without a sale; NaN outside judged runs
    missed_units  float32: what a suspected day would probably have sold, 0 on other days
    """

    suspected: Bools
    chance: Float
    missed_units: Float


@dataclass(frozen=True)
class _Runs:
    """Days without a sale (`row`, `day`), and the run that each is of; of each run the row and the sale before it."""

    row: Places
    day: Places
    run: Places
    run_row: Places
    last_sale: Places

    def __len__(self) -> int:
        return len(self.run_row)


def suspected_stockouts(panel: Panel, settings: StockoutSettings | None = None) -> SuspectedStockouts:
    """Flag the improbable runs of a panel; days that are closed, not ranged or known to be out of stock are skipped."""
    units = np.where(panel.offered, panel.units, np.float32(np.nan))
    in_stock = None
    if panel.available is not None:
        units = np.where(panel.available < 1, np.float32(np.nan), units)
        in_stock = panel.available >= 1
    return improbable_runs(units, in_stock, settings)


def improbable_runs(
    units: npt.NDArray[np.floating[Any]], in_stock: Bools | None = None, settings: StockoutSettings | None = None
) -> SuspectedStockouts:
    """Flag the improbable runs of units [series, days]: NaN says nothing of a day and breaks no run.

    Days `in_stock` were known to have stock: they are evidence of the rate, never suspected, and count for nothing in
    a run.
    """
    settings = settings or StockoutSettings()
    runs = _zero_runs(units, in_stock)
    found = _judged(units, runs, settings)
    if found.suspected.any():  # earlier stock-outs tell nothing of the rate before a later run
        found = _judged(np.where(found.suspected, np.float32(np.nan), units), runs, settings)
    return found


def _zero_runs(units: npt.NDArray[Any], in_stock: Bools | None) -> _Runs:
    """Runs of days without a sale, each after a sale of its series; days in between that say nothing are left out."""
    sold = units > 0
    columns = np.arange(units.shape[1])
    last = np.maximum.accumulate(np.where(sold, columns, -1), axis=1)
    zero = (units <= 0) & (last >= 0)
    if in_stock is not None:
        zero &= ~in_stock
    row, day = np.nonzero(zero)
    sale = last[row, day]
    new = np.append(True, (row[1:] != row[:-1]) | (sale[1:] != sale[:-1]))[: len(row)]
    return _Runs(row, day, np.cumsum(new) - 1, row[new], sale[new])


def _judged(units: npt.NDArray[Any], runs: _Runs, settings: StockoutSettings) -> SuspectedStockouts:
    """Judge every run by the units of the days before it."""
    rate, hazard, evidence, days = _before(units, runs)
    slot = (runs.day - runs.last_sale[runs.run]) % WEEK
    total = np.bincount(runs.run, hazard[runs.run, slot], len(runs))
    looks = np.bincount(runs.run_row, minlength=len(units))[runs.run_row]
    chance = np.minimum((1 + total / np.maximum(evidence, LEAST_UNITS)) ** -evidence * looks, 1)
    chance = np.where(days >= settings.least_days, chance, np.nan)
    end = np.zeros(len(runs), np.intp)
    end[runs.run] = runs.day  # ascending: the last day of the run stays
    flagged = (chance < settings.chance) & (end - runs.last_sale <= settings.longest_days)
    answer = SuspectedStockouts(
        np.zeros(units.shape, bool), np.full(units.shape, np.nan, np.float32), np.zeros(units.shape, np.float32)
    )
    answer.chance[runs.row, runs.day] = chance[runs.run]
    answer.suspected[runs.row, runs.day] = flagged[runs.run]
    answer.missed_units[runs.row, runs.day] = np.where(flagged[runs.run], rate[runs.run, slot], 0)
    return answer


def _before(units: npt.NDArray[Any], runs: _Runs) -> tuple[Doubles, Doubles, Doubles, Places]:
    """Of the window before each run: rate and hazard by weekday [runs, 7], evidence [runs] and days seen [runs].

    Weekday 0 is that of the sale before the run. The window ends before that sale: a window that is chosen to end on
    a sale would say too much.
    """
    padded = np.pad(units, ((0, 0), (WINDOW_DAYS, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_DAYS, axis=1)
    rate, hazard = np.empty((len(runs), WEEK)), np.empty((len(runs), WEEK))
    evidence, days = np.empty(len(runs)), np.empty(len(runs), np.intp)
    for start in range(0, len(runs), RUNS_AT_A_TIME):
        part = slice(start, start + RUNS_AT_A_TIME)
        window = windows[runs.run_row[part], runs.last_sale[part]].astype(np.float64)
        rate[part], hazard[part], days[part] = _window_rates(window.reshape(-1, WINDOW_WEEKS, WEEK))
        seen = (~np.isnan(window)).reshape(-1, WINDOW_WEEKS, WEEK).sum(axis=1)
        evidence[part] = np.minimum((hazard[part] * seen).sum(axis=1), MOST_EVIDENCE)
    return rate, hazard, evidence, days


def _window_rates(window: Doubles) -> tuple[Doubles, Doubles, Places]:
    """Mean units and -log(chance of no sale) by weekday, and days seen, of windows [runs, weeks, 7]."""
    seen = ~np.isnan(window)
    units = np.where(seen, window, 0)
    days, by_weekday = seen.sum(axis=(1, 2)), seen.sum(axis=1)
    mean = units.sum(axis=(1, 2)) / np.maximum(days, 1)
    rate = _weekday_rates(units, seen, mean)
    spread = np.where(seen, (units - rate[:, None, :]) ** 2, 0).sum(axis=(1, 2)) / np.maximum(days - 1, 1)
    one = _one_sale(units, mean, spread)
    nothing = _negative_binomial_zero(rate / one[:, None], mean / one, spread / one**2)
    typical = (nothing * by_weekday).sum(axis=1) / np.maximum(days, 1)
    empty = seen & (units <= 0)
    share = (empty.sum(axis=(1, 2)) + PRIOR_DAYS * typical) / (days + PRIOR_DAYS)
    shares = (empty.sum(axis=1) + PRIOR_DAYS * share[:, None]) / (by_weekday + PRIOR_DAYS)
    return rate, -np.log(np.maximum(np.maximum(nothing, shares), NO_CHANCE)), days


def _weekday_rates(units: Doubles, seen: Bools, mean: Doubles) -> Doubles:
    """Mean units by weekday [runs, 7], drawn towards the mean of all days as far as chance may explain the rest."""
    count = seen.sum(axis=1)
    squares = np.where(seen, (units - mean[:, None, None]) ** 2, 0).sum(axis=(1, 2))
    variance = squares / np.maximum(seen.sum(axis=(1, 2)) - 1, 1)
    level = np.maximum(mean, LEAST_UNITS)[:, None]
    noise = variance[:, None] / np.maximum(count, 1) / level**2
    trust = np.where(count > 0, WEEKDAY_VARIANCE / (WEEKDAY_VARIANCE + noise), 0)
    factor = units.sum(axis=1) / np.maximum(count, 1) / level
    return np.asarray(mean[:, None] * (1 + trust * (factor - 1)))


def _one_sale(units: Doubles, mean: Doubles, variance: Doubles) -> Doubles:
    """How many units one sale has: the greatest common divisor of whole days; the least day of others [runs].

    Never more than variance / mean where days are not whole: above it days would vary less than by chance.
    """
    flat = units.reshape(len(units), -1)
    whole = (flat == np.rint(flat)).all(axis=1)
    divisor = np.gcd.reduce(np.where(whole[:, None], np.rint(flat), 0).astype(np.int64), axis=1)
    least = np.where(flat > 0, flat, np.inf).min(axis=1)
    least = np.minimum(least, np.where(mean > 0, variance / np.maximum(mean, LEAST_UNITS), np.inf))
    one = np.where(whole, divisor, least)
    return np.asarray(np.where(np.isfinite(one) & (one > 0), one, 1.0))


def _negative_binomial_zero(rate: Doubles, mean: Doubles, variance: Doubles) -> Doubles:
    """The chance of no sale on a day with `rate` [runs, 7], where days with `mean` have `variance` [runs]."""
    over = np.maximum(variance - mean, 0)
    size = np.where(over > 1e-9, mean**2 / np.maximum(over, 1e-9), np.inf)[:, None]
    limited = np.where(np.isinf(size), 1.0, size)
    return np.asarray(np.where(np.isinf(size), np.exp(-rate), (1 + rate / limited) ** -limited))
