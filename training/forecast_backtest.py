"""Rolling-origin backtest of forecasters: learn as of the day before each cut-off, judge on the days from it on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from features.demand import Panel
from features.errors import HistoryError
from features.history import Float
from features.progress import Progress, silent
from features.tables import FORECAST_LEVELS, QUANTILE_COLUMNS
from models.contracts import Forecast, Forecaster
from models.forecasters import make_forecaster
from models.observed import listed_panel, observed_units
from models.settings import ForecastSettings
from training.forecast_metrics import Floats, bias, coverage, demand_classes, naive_scale, pinball, rmsse, wape
from training.scoreboard import Score, Scoreboard

PROTECTION_DAYS = 9  # lead time 2 + review 7: the period whose sums are judged
SUM_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
DEMAND_CLASSES = ("smooth", "erratic", "intermittent", "lumpy")

Bools = npt.NDArray[np.bool_]


def backtest_forecast(
    load: Callable[[date], Panel],
    cutoffs: Sequence[date],
    settings: ForecastSettings,
    names: Sequence[str],
    progress: Progress = silent,
    *,
    load_later: Callable[[date], Panel] | None = None,
    last_day: date | None = None,
) -> Scoreboard:
    """Judge the named forecasters at each cut-off, the first day forecast.

    `load(day)` gives the panel as of that day, from rows known by then. Forecasters learn from all of its series and
    are judged on those that the settings list for a forecast (models.observed.listed_panel). Actuals come from
    `load_later(horizon's last day)`, which should list every series with a sale within the horizon (one sale day is
    enough, the horizon's days of history too) and is `load` by default; a series that it does not list sold nothing.
    `last_day` is the last day with data: a horizon that ends later is a HistoryError.
    """
    check_cutoffs(cutoffs, settings.horizon_days, last_day)
    scores: list[Score] = []
    counts: dict[str, int] = {}
    with progress.step("backtest", total=len(cutoffs) * len(names)) as step:
        for cutoff in cutoffs:
            learning = load(cutoff - timedelta(days=1))
            panel = listed_panel(learning, settings)
            later = (load_later or load)(cutoff + timedelta(days=settings.horizon_days - 1))
            actual = actual_units(later, panel, settings.horizon_days)
            counts[cutoff.isoformat()] = len(panel)
            for name in names:
                scores += judged(make_forecaster(name, settings).fit(learning), panel, actual, settings)
                step.advance()
    facts = {"horizon_days": settings.horizon_days, "protection_days": PROTECTION_DAYS, "series": counts,
             "settings": settings.model_dump(), "methods": list(names)}  # fmt: skip
    return Scoreboard(tuple(scores), facts)


def check_cutoffs(cutoffs: Sequence[date], horizon_days: int, last_day: date | None) -> None:
    """Raise HistoryError where the days to be judged reach beyond the data."""
    if not cutoffs:
        raise HistoryError("no cut-off was given: name at least one day, such as --cutoffs 2017-11-20")
    for cutoff in cutoffs:
        end = cutoff + timedelta(days=horizon_days - 1)
        if last_day is not None and end > last_day:
            latest = last_day - timedelta(days=horizon_days - 1)
            raise HistoryError(
                f"the cut-off {cutoff} needs {horizon_days} days of data, up to {end}, and the data end on {last_day}: "
                f"choose {latest} or earlier, or a shorter horizon_days"
            )


def actual_units(later: Panel, panel: Panel, horizon_days: int) -> Float:
    """What the series of `panel` sold on the days after its as_of, from a later panel; float32 [series, horizon].

    NaN on days that do not show demand. A series that the later panel no longer lists sold 0.
    """
    start = (panel.as_of - later.first_day).days + 1
    if start < 0 or start + horizon_days > later.days:
        raise HistoryError(
            f"the panel from {later.first_day} to {later.as_of} does not hold the {horizon_days} days after "
            f"{panel.as_of}: load it with a longer history_days"
        )
    known = replace(later, units=np.nan_to_num(later.units))  # launched before, whatever the later panel's window says
    window = observed_units(known)[:, start : start + horizon_days]
    place = {key: row for row, key in enumerate(zip(later.product_ids, later.location_ids, strict=True))}
    keys = zip(panel.product_ids, panel.location_ids, strict=True)
    rows = np.array([place.get(key, -1) for key in keys], np.int64)
    actual = np.zeros((len(panel), horizon_days), np.float32)
    actual[rows >= 0] = window[rows[rows >= 0]]
    return actual


def judged(forecaster: Forecaster, panel: Panel, actual: Float, settings: ForecastSettings) -> list[Score]:
    """Score a fitted forecaster on what followed the panel, in every segment."""
    name = forecaster.name
    forecast = forecaster.forecast(panel, settings.horizon_days)
    cutoff = panel.as_of + timedelta(days=1)
    scale = naive_scale(panel.units)
    scores: list[Score] = []
    for segment, rows, days in segments(panel, settings.horizon_days):
        figures = daily_figures(forecast, actual, scale, rows, days)
        scores += [Score(cutoff, name, segment, metric, value) for metric, value in figures.items()]
    period = min(PROTECTION_DAYS, settings.horizon_days)
    figures = sum_figures(actual[:, :period].sum(axis=1), forecaster.sums(panel, period, SUM_LEVELS))
    return scores + [Score(cutoff, name, "all", metric, value) for metric, value in figures.items()]


def segments(panel: Panel, horizon_days: int) -> Iterator[tuple[str, Bools, slice]]:
    """Name, series and days of each segment: all, the weeks of the horizon, the demand classes."""
    every = np.ones(len(panel), bool)
    yield "all", every, slice(0, horizon_days)
    for first in range(0, horizon_days, 7):
        last = min(first + 7, horizon_days)
        yield f"horizon {first + 1}-{last}", every, slice(first, last)
    classes = demand_classes(panel.units)
    for name in DEMAND_CLASSES:
        if (classes == name).any():
            yield f"demand {name}", classes == name, slice(0, horizon_days)


def daily_figures(forecast: Forecast, actual: Float, scale: Floats, rows: Bools, days: slice) -> dict[str, float]:
    """wape, bias, rmsse, pinball (mean and per level) and coverage per level of some series and days."""
    mean, quantiles, shown = forecast.mean_units[rows, days], forecast.quantiles[rows, days], actual[rows, days]
    loss = pinball(shown, quantiles, FORECAST_LEVELS)
    share = coverage(shown, quantiles)
    figures = {
        "wape": wape(shown, mean),
        "rmsse": rmsse(shown, mean, scale[rows]),
        "bias": bias(shown, mean),
        "pinball": float(loss.mean()),
    }
    for level, name in enumerate(QUANTILE_COLUMNS):
        figures[f"pinball_{name}"] = float(loss[level])
        figures[f"coverage_{name}"] = float(share[level])
    return figures


def sum_figures(actual: Float, quantiles: Float) -> dict[str, float]:
    """Pinball and coverage of the demand over the protection period."""
    loss, share = pinball(actual, quantiles, SUM_LEVELS), coverage(actual, quantiles)
    figures = {"sum_pinball": float(loss.mean())}
    for level, value in zip(SUM_LEVELS, share.tolist(), strict=True):
        figures[f"sum_coverage_q{round(level * 100)}"] = value
    return figures
