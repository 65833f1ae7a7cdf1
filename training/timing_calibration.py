"""Backtest of the purchase cycle: how true the chance is that a household buys a kind of product within a week."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from features.customers import decay
from features.cycles import Cycles
from features.history import Float, Int, Purchases, day_number
from models.repurchase import Repurchase
from training.timing_dates import Load, Numbers, household_intervals

Bools = npt.NDArray[np.bool_]
WEEK_DAYS = 7
HARDLY_SHRUNK = 1e9  # a slope without bound, where chances part all that happened from the rest, stays finite
EARLIER_WEEKS = 2  # before each week, that the baselines' maps are fitted on
HALF_LIFE_DAYS = 60.0
PRIOR_PAIRS = 20.0  # pairs of a kind that weigh as much as all kinds together
SHAPES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the Gamma prior
LEAST, MOST = 1e-6, 1 - 1e-6


@dataclass(frozen=True)
class Asked:
    """Every (household, kind) bought before a week: its cycles then, and whether it bought the kind in the week."""

    cycles: Cycles
    bought: Bools


def calibration_scores(load: Load, weeks: list[date], seed: int = 7) -> dict[str, Any]:
    """How well "buys this category within 7 days", said at the end of the day before each week, came true.

    Asked about is every (household, finest category) bought before. `slope` and `intercept` are those of a logistic
    regression of the outcome on the logit of the chance, over all weeks: 1 and 0 are perfect. `brier` is the mean
    squared error of the chance, with 95 % intervals over households; `brier_over_model` its difference to the
    model's, above zero where the model is better. Baselines, all fitted on the two weeks before each week: the
    category's base rate; Poisson with the own rate; the same with a Gamma prior of the category (shape chosen);
    decayed frequency through an isotonic regression.
    """
    chances: dict[str, list[Float]] = {}
    bought: list[Bools] = []
    household: list[Int] = []
    by_week: dict[str, Any] = {}
    for week in weeks:
        history = load(week - timedelta(days=1))
        asked = _asked(history, load(week + timedelta(days=WEEK_DAYS - 1)))
        outlook = Repurchase.fit(history, seed).as_of(history).categories
        said: dict[str, npt.NDArray[Any]] = {"model": outlook.within(WEEK_DAYS), **_baselines(history, asked)}
        for name, chance in said.items():
            chances.setdefault(name, []).append(np.clip(chance, LEAST, MOST).astype(np.float32))
        bought.append(asked.bought)
        household.append(asked.cycles.customer)
        slope, intercept = recalibration(chances["model"][-1], asked.bought)
        by_week[week.isoformat()] = {"pairs": len(asked.bought), "bought": float(asked.bought.mean()),
                                     "slope": slope, "intercept": intercept}  # fmt: skip
    truth, who = np.concatenate(bought), np.concatenate(household)
    joined = {name: np.concatenate(parts) for name, parts in chances.items()}
    scores, deciles = _compared(joined, truth, who, seed), _deciles(joined["model"], truth)
    return {"weeks": by_week, "scores": scores, "deciles": deciles}


def _asked(history: Purchases, window: Purchases) -> Asked:
    """Pairs of the history and what became of them; the window's rows are found by customer and category ids."""
    names = history.catalog.category_names[-1]
    cycles = Cycles.of(history, history.catalog.finest, len(names))
    rows = np.flatnonzero((window.day > day_number(history.as_of)) & (window.customer >= 0))
    customer = history.customers.codes(window.customers.values)[window.customer[rows]]
    category = names.codes(window.catalog.category_names[-1].values)[window.catalog.finest[window.product[rows]]]
    known = (customer >= 0) & (category >= 0) & (window.catalog.finest[window.product[rows]] >= 0)
    then = np.unique(customer[known].astype(np.int64) * len(names) + category[known])
    return Asked(cycles, np.isin(cycles.customer.astype(np.int64) * len(names) + cycles.thing, then))


def _baselines(history: Purchases, asked: Asked) -> dict[str, Numbers]:
    past = [
        _asked(history.until(day - timedelta(days=WEEK_DAYS)), history.until(day))
        for number in range(EARLIER_WEEKS)
        for day in [history.as_of - timedelta(days=WEEK_DAYS * number)]
    ]
    rates, own = _category_rates(history, past), _own_rate(asked.cycles)
    bought = np.concatenate([week.bought for week in past])
    decayed = np.concatenate([_decayed(week.cycles) for week in past])
    curve = IsotonicRegression(out_of_bounds="clip").fit(decayed, bought)
    shape = min(SHAPES, key=lambda shape: np.mean([
        np.square(_shrunk(week.cycles, shape) - week.bought).mean() for week in past
    ]))  # fmt: skip
    return {
        "base rate of the category": rates[asked.cycles.thing],
        "Poisson, own rate": -np.expm1(-WEEK_DAYS * own),
        "Poisson-Gamma": _shrunk(asked.cycles, shape),
        "decayed frequency, isotonic": curve.predict(_decayed(asked.cycles)),
    }


def _category_rates(history: Purchases, past: list[Asked]) -> Numbers:
    """Share of (household, category) pairs bought in a week, per category of the history."""
    names = history.catalog.category_names[-1]
    bought, pairs = np.zeros(len(names)), np.zeros(len(names))
    for number, week in enumerate(past):
        earlier = history.until(history.as_of - timedelta(days=WEEK_DAYS * (number + 1))).catalog.category_names[-1]
        code = names.codes(earlier.values)[week.cycles.thing]
        bought += np.bincount(code, week.bought, minlength=len(names))
        pairs += np.bincount(code, minlength=len(names))
    overall = bought.sum() / pairs.sum()
    return np.asarray((bought + PRIOR_PAIRS * overall) / (pairs + PRIOR_PAIRS), np.float64)


def _exposure(cycles: Cycles) -> tuple[Numbers, Numbers]:
    """Purchase days, and days since the first one, of each sequence."""
    count = np.diff(cycles.start).astype(np.float64)
    return count, (cycles.as_of_day - cycles.day[cycles.start[:-1]] + 1).astype(np.float64)


def _own_rate(cycles: Cycles) -> Numbers:
    count, days = _exposure(cycles)
    return count / days


def _shrunk(cycles: Cycles, shape: float) -> Numbers:
    """Chance of a purchase within a week, the rate drawn to the category's by a Gamma prior of that shape."""
    count, days = _exposure(cycles)
    again = count - 1  # the first purchase is why the pair is there
    by_category = [np.bincount(cycles.thing, values, minlength=cycles.things) for values in (again, days)]
    overall = again.sum() / days.sum()
    usual = np.full(cycles.things, 1 / overall) * PRIOR_PAIRS
    mean = np.maximum((by_category[0] + PRIOR_PAIRS) / (by_category[1] + usual), 1e-6)
    rate = shape / mean[cycles.thing]
    return np.asarray(1 - ((rate + days) / (rate + days + WEEK_DAYS)) ** (shape + again), np.float64)


def _decayed(cycles: Cycles) -> Numbers:
    weight = decay(cycles.day, cycles.as_of_day, HALF_LIFE_DAYS)
    return np.asarray(np.bincount(cycles.sequence, weight, minlength=len(cycles)), np.float64)


def recalibration(chance: Float, bought: Bools) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of what happened on the logit of its chance.

    >>> chance = np.repeat([0.2, 0.5, 0.8], 10).astype(np.float32)
    >>> slope, intercept = recalibration(chance, np.tile(np.arange(10), 3) < np.repeat([2, 5, 8], 10))
    >>> round(slope, 3), abs(round(intercept, 3))
    (1.0, 0.0)
    """
    logit = np.log(chance.astype(np.float64) / (1 - chance.astype(np.float64)))
    line = LogisticRegression(C=HARDLY_SHRUNK, tol=1e-8).fit(logit[:, None], bought)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def _compared(chances: dict[str, Float], bought: Bools, household: Int, seed: int) -> dict[str, Any]:
    errors = np.stack([np.square(chance.astype(np.float64) - bought) for chance in chances.values()], axis=1)
    worse = errors - errors[:, :1]
    both = np.concatenate([errors, worse], axis=1)
    low, high = household_intervals(both, np.ones_like(both), household, seed)
    mean, figures, count = both.mean(axis=0), {}, len(chances)
    for number, (name, chance) in enumerate(chances.items()):
        slope, intercept = recalibration(chance, bought)
        figures[name] = {
            "slope": slope, "intercept": intercept, "brier": [mean[number], low[number], high[number]],
            "brier_over_model": [mean[count + number], low[count + number], high[count + number]],
        }  # fmt: skip
    return figures


def _deciles(chance: Float, bought: Bools) -> list[dict[str, float]]:
    """Mean chance and share bought of tenths of the pairs, from the least to the most likely."""
    order = np.argsort(chance, kind="stable")
    return [{"said": float(chance[part].mean()), "came": float(bought[part].mean())}
            for part in np.array_split(order, 10)]  # fmt: skip
