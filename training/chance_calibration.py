"""Whether the ranker's chances come true: by tenths of the chance, and by a logistic recalibration.

Cox, Two further applications of a model for binary regression (1958): with log-odds of the truth = intercept +
slope × log-odds said, slope 1 and intercept 0 are calibrated; a slope below 1 says that chances are too extreme.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.history import Float
from models.contracts import Bools
from training.timing_calibration import recalibration

BINS = 10
LEAST = 1e-6  # chances nearer to 0 or 1 are taken for this


@dataclass
class Told:
    """Chances that were told, and whether they came true, collected over weeks."""

    chances: list[Float]
    outcomes: list[Bools]

    @classmethod
    def nothing(cls) -> "Told":
        return cls([], [])

    def add(self, chance: Float, outcome: Bools) -> None:
        self.chances.append(chance)
        self.outcomes.append(outcome)

    def figures(self) -> dict[str, Any]:
        return calibration(np.concatenate(self.chances), np.concatenate(self.outcomes))


def calibration(chance: Float, outcome: Bools) -> dict[str, Any]:
    """Counts, means, slope and intercept, expected calibration error, and reliability by tenths of the chance."""
    if not len(chance):
        return {"pairs": 0}
    bins = reliability(chance, outcome)
    slope, intercept = _line(chance, outcome)
    error = sum(one["pairs"] * abs(one["said"] - one["bought"]) for one in bins) / len(chance)
    return {"pairs": len(chance), "said": float(chance.mean()), "bought": float(outcome.mean()), "slope": slope,
            "intercept": intercept, "calibration_error": error, "tenths": bins}  # fmt: skip


def reliability(chance: Float, outcome: Bools, bins: int = BINS) -> list[dict[str, float]]:
    """Mean chance and share that came true of equally many pairs each, lowest chances first."""
    order = np.argsort(chance, kind="stable")
    return [{"pairs": len(part), "said": float(chance[part].mean()), "bought": float(outcome[part].mean())}
            for part in np.array_split(order, bins) if len(part)]  # fmt: skip


def _line(chance: Float, outcome: Bools) -> tuple[float, float]:
    """Slope and intercept; NaN where all or nothing came true, or all chances are equal."""
    clipped = np.clip(chance.astype(np.float64), LEAST, 1 - LEAST)
    if outcome.all() or not outcome.any() or not np.ptp(clipped):
        return float("nan"), float("nan")
    return recalibration(clipped.astype(np.float32), outcome)
