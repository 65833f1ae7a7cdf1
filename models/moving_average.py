"""Moving average: every coming day sells what the last four weeks sold a day."""

from typing import ClassVar

import numpy as np

from features.demand import Panel
from features.history import Float
from models.calibrated import CalibratedForecaster
from models.observed import last_observed, mean_where, observed_units

WINDOW_DAYS = 28


class MovingAverage(CalibratedForecaster):
    """The mean of the last 28 days that show demand."""

    name: ClassVar[str] = "moving_average"

    def means(self, panel: Panel, horizon_days: int) -> Float:
        observed = observed_units(panel)
        mean = mean_where(observed, last_observed(observed, WINDOW_DAYS))
        return np.repeat(mean[:, None], horizon_days, axis=1)
