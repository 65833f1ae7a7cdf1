"""Seasonal naive: each coming day sells what the last such weekday sold."""

from typing import ClassVar

import numpy as np

from features.demand import Panel
from features.history import Float
from models.calibrated import CalibratedForecaster
from models.observed import last_observed, mean_where, observed_units

WEEK_DAYS = 7


class SeasonalNaive(CalibratedForecaster):
    """Repeats the last observed day of each weekday; the last observed days' mean where a weekday has none."""

    name: ClassVar[str] = "seasonal_naive"

    def means(self, panel: Panel, horizon_days: int) -> Float:
        observed = observed_units(panel)
        fallback = mean_where(observed, last_observed(observed, WEEK_DAYS))
        week = np.empty((len(panel), WEEK_DAYS), np.float32)
        for step in range(WEEK_DAYS):
            same = observed[:, ::-1][:, WEEK_DAYS - 1 - step :: WEEK_DAYS]
            if same.shape[1] == 0:
                week[:, step] = fallback
                continue
            newest = np.argmax(~np.isnan(same), axis=1)
            value = same[np.arange(len(same)), newest]
            week[:, step] = np.where(np.isnan(value), fallback, value)
        return np.tile(week, -(-horizon_days // WEEK_DAYS))[:, :horizon_days].copy()
