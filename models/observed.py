"""Which days of a panel show demand, and which only show that nothing could be sold."""

import numpy as np
import numpy.typing as npt

from features.demand import Panel
from features.history import Float
from models.settings import ForecastSettings

Bools = npt.NDArray[np.bool_]


def observed_units(panel: Panel) -> Float:
    """Units with NaN on days that do not show demand: before launch, out of stock for a time, closed, not ranged.

    float32 [series, days], a copy only where something is masked. A day whose available share is unknown counts.
    """
    units = panel.units
    if panel.available is not None:
        units = np.where(panel.available < 1, np.float32(np.nan), units)
    offered = panel.offered
    if not offered.all():
        units = np.where(offered, units, np.float32(np.nan))
    return units


def listed_then(panel: Panel, column: int, settings: ForecastSettings) -> Bools:
    """Which series would have been given a forecast at the end of day `column`, by what was known then; bool [series].

    What is not ranged that day is given none.
    A panel's series were chosen for selling up to its end; to learn from the past, choose by the past as well.
    Where nothing had sold so often yet, every series launched by then counts.
    """
    sold = np.nan_to_num(panel.units[:, : column + 1]) > 0
    recently = sold[:, -settings.active_days :].any(axis=1)
    often = sold[:, -settings.history_days :].sum(axis=1) >= settings.min_sale_days
    ranged = np.ones(len(panel), bool) if panel.ranged is None else panel.ranged[:, column]
    listed = recently & often & ranged
    return listed if listed.any() else np.asarray(~np.isnan(panel.units[:, column]) & ranged)


def listed_panel(panel: Panel, settings: ForecastSettings) -> Panel:
    """The series that get a forecast: those sold often and recently enough.

    Learn from a panel that holds more (loaded with active_days as long as its history): one that holds only what
    still sells at its end makes the past look better than it was, and forecasts too high.
    """
    return panel.only(np.flatnonzero(listed_then(panel, panel.days - 1, settings)))


def last_observed(observed: Float, days: int) -> Bools:
    """Mark the last `days` observed days of each series; bool [series, columns]."""
    seen = ~np.isnan(observed)
    return np.asarray(seen & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] <= days))


def mean_where(observed: Float, chosen: Bools) -> Float:
    """Mean of the chosen days of each series, float32 [series]; 0 where none is chosen."""
    total = np.where(chosen, observed, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(total / np.maximum(chosen.sum(axis=1), 1), np.float32)
