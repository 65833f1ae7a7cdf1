"""How good a forecast was. Plain functions of arrays; days without an actual (NaN) count nowhere."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Classes = npt.NDArray[np.str_]

INTERMITTENT_ADI = 1.32  # mean days between sales, Syntetos, Boylan and Croston (2005)
ERRATIC_CV2 = 0.49  # squared coefficient of variation of the units of a day with a sale


def wape(actual: Floats, mean: Floats) -> float:
    """Weighted absolute percentage error: sum of absolute errors ÷ sum of actual units; NaN if nothing sold."""
    shown = ~np.isnan(actual)
    return _share(np.abs(actual - mean)[shown].sum(), actual[shown].sum())


def bias(actual: Floats, mean: Floats) -> float:
    """Sum of forecast minus actual units ÷ sum of actual units: above 0 it forecasts too much."""
    shown = ~np.isnan(actual)
    return _share((mean - actual)[shown].sum(), actual[shown].sum())


def rmsse(actual: Floats, mean: Floats, scale: Floats) -> float:
    """Root mean squared scaled error (M5): per series RMSE ÷ `scale`, then the mean over series.

    actual and mean are [series, days]; series whose scale is 0 or NaN are left out.
    """
    shown = ~np.isnan(actual)
    squares = np.where(shown, actual - mean, 0).astype(np.float64) ** 2
    judged = shown.any(axis=1) & (scale > 0)
    if not judged.any():
        return float("nan")
    error = np.sqrt(squares[judged].sum(axis=1) / shown[judged].sum(axis=1))
    return float(np.mean(error / scale[judged]))


def naive_scale(units: Floats) -> npt.NDArray[np.float64]:
    """Root mean squared day-to-day change of each series [series, days] since its launch; NaN without any."""
    change = np.diff(units.astype(np.float64), axis=1)
    shown = ~np.isnan(change)
    squares = np.where(shown, change, 0) ** 2
    count = shown.sum(axis=1)
    return np.where(count > 0, np.sqrt(squares.sum(axis=1) / np.maximum(count, 1)), np.nan)


def pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> npt.NDArray[np.float64]:
    """Pinball loss per level ÷ mean actual, float64 [levels]; quantiles are actual's shape + [levels]."""
    shown = ~np.isnan(actual)
    over = actual[shown].astype(np.float64)[:, None] - quantiles[shown]
    loss = np.maximum(np.array(levels) * over, (np.array(levels) - 1) * over)
    mean = actual[shown].mean() if shown.any() else 0.0
    return loss.mean(axis=0) / mean if mean > 0 else np.full(len(levels), np.nan)


def coverage(actual: Floats, quantiles: Floats) -> npt.NDArray[np.float64]:
    """Share of actuals at or below each quantile, float64 [levels]; well calibrated, it is the level or above."""
    shown = ~np.isnan(actual)
    if not shown.any():
        return np.full(quantiles.shape[-1], np.nan)
    return np.asarray((actual[shown][:, None] <= quantiles[shown]).mean(axis=0))


def demand_classes(units: Floats) -> Classes:
    """smooth, intermittent, erratic or lumpy for each series [series, days], by ADI and CV² of its sales so far."""
    sold = np.nan_to_num(units) > 0
    sales = sold.sum(axis=1)
    gap = (~np.isnan(units)).sum(axis=1) / np.maximum(sales, 1)
    size = np.where(sold, np.nan_to_num(units), 0).astype(np.float64)
    mean = size.sum(axis=1) / np.maximum(sales, 1)
    variance = np.where(sold, (size - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(sales, 1)
    erratic = variance >= ERRATIC_CV2 * np.maximum(mean, 1e-12) ** 2
    rare = gap >= INTERMITTENT_ADI
    return np.select([rare & erratic, rare, erratic], ["lumpy", "intermittent", "erratic"], "smooth")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
