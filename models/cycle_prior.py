"""A purchase cycle by a formula: what is believed of the next purchase before anything was learnt.

The days between two purchases are log-logistic around the own gaps, drawn to those of the thing while they are few;
with some chance there is no next purchase at all (a cure model: Berkson and Gage 1952, log-logistic as in Bennett
1983). Boosting starts from it, and it answers alone where a history is too short to learn from.
"""

import numpy as np
import numpy.typing as npt

from features.cycles import GAPS, MOMENT_COLUMNS, REBOUGHT_DAYS, THING_COLUMNS
from features.history import Float

Numbers = npt.NDArray[np.float64]

PRIOR_GAPS = 2.0  # own gaps that weigh as much as the thing's
PRIOR_SPREADS = 4.0  # likewise for how much gaps differ
PRIOR_RETURNS = 2.0  # own returns that weigh as much as the thing's share of purchases followed by another
USUAL_GAP_DAYS = 30.0  # where nothing was ever bought twice
USUAL_SPREAD = 0.8  # of the logarithm of gaps, there
USUAL_RETURN = 0.5  # share of purchases followed by another, there
LEAST_SPREAD = 0.25
LEAST, MOST = 1e-5, 1 - 1e-5  # of any hazard
FACTS = len(MOMENT_COLUMNS)


def prior_hazards(facts: Float, ends: tuple[int, ...]) -> Float:
    """Chance that the next purchase falls into each bin of days if it came in none before, float32 [moments, bins].

    `facts` has MOMENT_COLUMNS and then THING_COLUMNS in its first columns; a bin ends with the day `ends` says.
    """
    purchases, elapsed = _column(facts, "purchases"), _column(facts, "elapsed")
    middle, shape = _gap_shape(facts, np.minimum(purchases - 1, GAPS))
    returns = _last_known([_column(facts, f"rebought_{days}") for days in REBOUGHT_DAYS], USUAL_RETURN)
    comes = (purchases - 1 + PRIOR_RETURNS * returns) / (purchases - 1 + PRIOR_RETURNS)
    days = np.append(0, ends) + 0.5  # a gap of n whole days ends between n - 0.5 and n + 0.5
    logs = np.log(elapsed[:, None] + days)
    over = 1 / (1 + np.exp(np.clip(-shape[:, None] * (logs - middle[:, None]), -50, 50)))
    open_then = 1 - comes[:, None] * over
    hazard = comes[:, None] * np.diff(over, axis=1) / np.maximum(open_then[:, :-1], 1e-9)
    return np.clip(hazard, LEAST, MOST).astype(np.float32)


def typical_gap(facts: Float) -> Float:
    """Median days between two purchases, the thing's while own gaps are few, float32 [moments]."""
    middle, _ = _gap_shape(facts, np.minimum(_column(facts, "purchases") - 1, GAPS))
    return np.exp(middle).astype(np.float32)


def _gap_shape(facts: Float, gaps: Numbers) -> tuple[Numbers, Numbers]:
    """Median of the logarithm of gaps, and the shape of the log-logistic."""
    own = np.where(gaps > 0, np.log(_column(facts, "gap_mean")), 0)
    thing = _known(_column(facts, "thing_log_gap"), np.log(USUAL_GAP_DAYS))
    middle = (own * gaps + PRIOR_GAPS * thing) / (gaps + PRIOR_GAPS)
    spread = _known(_column(facts, "gap_spread"), 0.0)
    usual = np.maximum(_known(_column(facts, "thing_log_gap_spread"), USUAL_SPREAD), LEAST_SPREAD)
    known = np.where(gaps > 1, gaps, 0)
    variance = (np.square(spread) * known + np.square(usual) * PRIOR_SPREADS) / (known + PRIOR_SPREADS)
    return middle, np.pi / np.sqrt(3 * variance)


def _column(facts: Float, name: str) -> Numbers:
    place = MOMENT_COLUMNS.index(name) if name in MOMENT_COLUMNS else FACTS + THING_COLUMNS.index(name)
    return facts[:, place].astype(np.float64)


def _known(values: Numbers, otherwise: float) -> Numbers:
    return np.where(np.isnan(values), otherwise, values)


def _last_known(columns: list[Numbers], otherwise: float) -> Numbers:
    """Per row the value of the last column that has one."""
    found = np.full(len(columns[0]), otherwise)
    for column in columns:
        found = np.where(np.isnan(column), found, column)
    return found
