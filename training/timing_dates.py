"""Backtest of the purchase cycle: on which day a household buys a kind of product again.

The protocol of `BENCHMARKS`: the model learns from nothing later than a day; then, at every purchase of some later
weeks, it is asked when the household buys the same kind of product next. What it sees at a purchase is the
household's own past up to that day, and of everybody else what was known when it learnt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from features.customers import Long
from features.cycles import THING_COLUMNS, Cycles, Moments
from features.errors import HistoryError
from features.history import UNKNOWN, Int, Purchases, day_number
from models.cycle_rows import Sight, sights
from models.outlook import HORIZON_DAYS, WINDOW_DAYS, daily, due
from models.repurchase import Repurchase

Load = Callable[[date], Purchases]
Numbers = npt.NDArray[np.float64]
LEAST_PURCHASES = 4  # days with a purchase of the kind so far, to be asked about
ALWAYS_DAYS = 5
BOOTSTRAP_ROUNDS = 500


@dataclass(frozen=True)
class Anchors:
    """Purchases after which the next one is foretold; `gap` is int32 [anchors], the days it truly took."""

    moments: Moments
    gap: Int
    household: Int
    asked: int  # with those whose next purchase came later than HORIZON_DAYS, or never


def timing_scores(load: Load, learnt_until: date, first: date, last: date, seed: int = 7) -> dict[str, Any]:
    """Share within ±3 days at the likeliest day, and mean error in days at the median, with 95 % intervals.

    Anchors are all (household, finest category, purchase day) from `first` to `last` with at least 4 days with a
    purchase of the category so far. Scored are those whose next purchase came within HORIZON_DAYS, and the
    distribution is cut there likewise. Baselines, from the household's gaps so far: their median, their geometric
    mean, and always 5 days. Raises HistoryError without categories or without anchors.
    """
    history, later = load(learnt_until), load(last + timedelta(days=HORIZON_DAYS))
    model = Repurchase.fit(history, seed)
    seen = seen_later(history, later)
    anchors = anchors_between(seen.cycles, day_number(first), day_number(last))
    found = due(daily(model.hazards(seen.rows(anchors.moments))))
    gaps = gaps_so_far(seen.cycles, anchors.moments.event)
    with np.errstate(invalid="ignore"):
        geometric = np.exp(np.nanmean(np.log(gaps), axis=1))
    guesses = {
        "model": (found.likeliest, found.median), "median gap": (np.nanmedian(gaps, axis=1),) * 2,
        "geometric mean gap": (geometric,) * 2, "always 5 days": (np.full(len(gaps), ALWAYS_DAYS),) * 2,
    }  # fmt: skip
    scores = {name: _scored(*guess, anchors, seed) for name, guess in guesses.items()}
    return {"anchors": anchors.asked, "scored": len(anchors.gap), "households": len(np.unique(anchors.household)),
            "learnt_until": learnt_until.isoformat(), "scores": scores}  # fmt: skip


def seen_later(history: Purchases, later: Purchases) -> Sight:
    """The finest categories' cycles of a later history, with what was known of each category in the earlier one.

    Categories that the earlier history did not know have no facts. Raises HistoryError where none is known.
    """
    kinds = [kind for kind in sights(history, 1) if kind.of_categories]
    if not kinds:
        raise HistoryError(f"no product bought up to {history.as_of} has a category: map one in the recipe")
    names = later.catalog.category_names[-1]
    code = names.codes(history.catalog.category_names[-1].values)
    facts = np.full((1, len(names), len(THING_COLUMNS)), np.nan, np.float32)
    facts[0, code[code >= 0]] = kinds[0].facts[0][code >= 0]
    cycles = Cycles.of(later, later.catalog.finest, len(names))
    return Sight(cycles, facts, np.full(len(names), UNKNOWN, np.int32), None, True)


def anchors_between(cycles: Cycles, first: int, last: int) -> Anchors:
    """Every purchase of those days with enough before it, scored where the next came within HORIZON_DAYS."""
    place = np.arange(len(cycles.day)) - cycles.start[cycles.sequence] + 1
    event = np.flatnonzero((cycles.day >= first) & (cycles.day <= last) & (place >= LEAST_PURCHASES))
    gap = cycles.next_day[event] - cycles.day[event]
    scored = (cycles.next_day[event] >= 0) & (gap <= HORIZON_DAYS)
    if not scored.any():
        raise HistoryError("no purchase in those days has enough before it and another one after it")
    chosen = event[scored]
    moments = Moments(chosen, cycles.day[chosen])
    return Anchors(moments, gap[scored], cycles.customer[cycles.sequence[chosen]], len(event))


def gaps_so_far(cycles: Cycles, event: Long) -> Numbers:
    """All gaps of each sequence up to an event, [events, most gaps]; NaN fills the rest."""
    count = event - cycles.start[cycles.sequence[event]]
    back = np.arange(int(count.max(initial=0)))
    at = np.maximum(event[:, None] - back, 1)
    return np.where(back < count[:, None], (cycles.day[at] - cycles.day[at - 1]).astype(np.float64), np.nan)


def _scored(likeliest: npt.NDArray[Any], median: npt.NDArray[Any], anchors: Anchors, seed: int) -> dict[str, Any]:
    near = np.abs(np.rint(likeliest) - anchors.gap) <= WINDOW_DAYS
    off = np.abs(median - anchors.gap)
    values = np.stack([near, off], axis=1).astype(np.float64)
    low, high = household_intervals(values, np.ones_like(values), anchors.household, seed)
    mean = values.mean(axis=0)
    return {name: [float(mean[column]), float(low[column]), float(high[column])]
            for column, name in enumerate(("within_3_days", "mean_error_days"))}  # fmt: skip


def household_intervals(values: Numbers, weights: Numbers, household: Int, seed: int) -> tuple[Numbers, Numbers]:
    """95 % percentile intervals of Σ values ÷ Σ weights per column when whole households are drawn again.

    `values` and `weights` are float64 [rows, columns]; `household` says whose each row is.
    """
    _, who = np.unique(household, return_inverse=True)
    count = int(who.max()) + 1
    sums = np.stack([np.bincount(who, column, minlength=count) for column in (*values.T, *weights.T)], axis=1)
    random = np.random.default_rng(seed)
    drawn = np.stack([sums[random.integers(0, count, count)].sum(axis=0) for _ in range(BOOTSTRAP_ROUNDS)])
    columns = values.shape[1]
    low, high = np.nanpercentile(drawn[:, :columns] / drawn[:, columns:], [2.5, 97.5], axis=0)
    return low, high
