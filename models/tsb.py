"""TSB: demand that comes now and then, as a chance of a sale times its size.

Teunter, Syntetos and Babai, "Intermittent demand: linking forecasting to inventory obsolescence" (2011): the chance
is smoothed on every day, the size on days with a sale, so that a product that stops selling fades out.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from features.demand import Panel
from features.history import Float
from models.calibrated import CalibratedForecaster
from models.distribution import actual_after, past_origins
from models.observed import observed_units

CHANCE_SMOOTHING = (0.02, 0.05, 0.1, 0.2)
SIZE_SMOOTHING = (0.05, 0.1, 0.2)
TUNING_SERIES = 5_000
TUNING_ORIGINS = 3
START_DAYS = 28  # the first levels are the means of so many days


class Tsb(CalibratedForecaster):
    """Teunter-Syntetos-Babai; one pair of smoothing constants for all series, chosen on their past."""

    name: ClassVar[str] = "tsb"

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._smoothing = (CHANCE_SMOOTHING[1], SIZE_SMOOTHING[1])

    def learn(self, panel: Panel) -> None:
        rows = np.arange(len(panel))[:: max(1, -(-len(panel) // TUNING_SERIES))]
        panel = panel.only(rows)
        origins = past_origins(panel, self.settings.horizon_days, TUNING_ORIGINS, self.settings.horizon_days)
        past = [(observed_units(panel.until(origin)), actual_after(panel, origin, days)) for origin, days in origins]
        pairs = [(chance, size) for chance in CHANCE_SMOOTHING for size in SIZE_SMOOTHING]
        self._smoothing = min(pairs, key=lambda pair: sum(_error(seen, after, *pair) for seen, after in past))

    def means(self, panel: Panel, horizon_days: int) -> Float:
        level = _levels(observed_units(panel), *self._smoothing)
        return np.repeat(level[:, None], horizon_days, axis=1)

    def learnt(self) -> dict[str, Any]:
        return {"chance_smoothing": self._smoothing[0], "size_smoothing": self._smoothing[1]}

    def relearn(self, learnt: dict[str, Any], folder: Path) -> None:
        self._smoothing = (float(learnt["chance_smoothing"]), float(learnt["size_smoothing"]))


def _levels(observed: Float, chance_smoothing: float, size_smoothing: float) -> Float:
    """Chance × size at the end of each series, float32 [series]; days that show no demand change nothing."""
    seen = ~np.isnan(observed)
    start = seen & (np.cumsum(seen, axis=1) <= START_DAYS)
    sold = np.where(seen, observed, 0) > 0
    sales = (sold & start).sum(axis=1)
    chance = sales / np.maximum(start.sum(axis=1), 1)
    size = np.where(start, np.nan_to_num(observed), 0).sum(axis=1, dtype=np.float64) / np.maximum(sales, 1)
    updates = seen & ~start
    for day in range(observed.shape[1]):
        chance = np.where(updates[:, day], chance + chance_smoothing * (sold[:, day] - chance), chance)
        bought = updates[:, day] & sold[:, day]
        size = np.where(bought, size + size_smoothing * (observed[:, day] - size), size)
    return np.asarray(chance * size, np.float32)


def _error(observed: Float, after: Float, chance_smoothing: float, size_smoothing: float) -> float:
    """Absolute error of the mean units a day after the origin, summed over series."""
    level = _levels(observed, chance_smoothing, size_smoothing)
    shown = ~np.isnan(after)
    mean = np.where(shown, after, 0).sum(axis=1) / np.maximum(shown.sum(axis=1), 1)
    return float(np.abs(np.where(shown.any(axis=1), mean - level, 0)).sum())
