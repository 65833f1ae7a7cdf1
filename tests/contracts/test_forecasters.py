"""What every forecaster of the roster promises."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.demand import DayFacts, Panel
from features.errors import BundleError, HistoryError
from models.contracts import Forecaster
from models.forecasters import FORECASTERS, make_forecaster
from models.observed import listed_panel
from models.settings import ForecastSettings
from tests.fixtures import tiny_models

SETTINGS = ForecastSettings(horizon_days=14)
LEVELS = (0.5, 0.9, 0.999)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return tiny_models.panel()


@pytest.fixture(scope="module", params=list(FORECASTERS))
def fitted(request: pytest.FixtureRequest, panel: Panel) -> Forecaster:
    return make_forecaster(request.param, SETTINGS).fit(panel)


def flat_panel(units: np.ndarray, first_day: date = date(2024, 1, 1)) -> Panel:
    series, days = units.shape
    return Panel(
        as_of=first_day + timedelta(days=days - 1),
        first_day=first_day,
        product_ids=[f"p{row:03d}" for row in range(series)],
        location_ids=["all"] * series,
        units=units.astype(np.float32),
        available=None,
        price=None,
        category=np.empty((series, 0), np.int32),
        facts=DayFacts(first_day, np.ones(days, bool), np.full(days, -1, np.int32), (), np.ones(days, bool)),
        planned={},
        ahead_days=0,
    )


def assert_same(one: Forecaster, other: Forecaster, panel: Panel) -> None:
    left, right = one.forecast(panel, 14), other.forecast(panel, 14)
    np.testing.assert_array_equal(left.mean_units, right.mean_units)
    np.testing.assert_array_equal(left.quantiles, right.quantiles)
    np.testing.assert_array_equal(one.sums(panel, 9, LEVELS), other.sums(panel, 9, LEVELS))


def test_fitting_again_equals_fitting_anew(fitted: Forecaster, panel: Panel):
    again = make_forecaster(fitted.name, SETTINGS).fit(panel.until(date(2024, 4, 1))).fit(panel)
    assert_same(again, fitted, panel)


def test_saved_and_opened_it_answers_the_same(fitted: Forecaster, panel: Panel, tmp_path: Path):
    fitted.save(tmp_path)
    assert_same(type(fitted).open(tmp_path), fitted, panel)


def test_a_damaged_file_is_a_bundle_error(fitted: Forecaster, tmp_path: Path):
    fitted.save(tmp_path)
    (tmp_path / "forecaster.json").write_text("{", "utf-8")
    with pytest.raises(BundleError, match=r"forecaster\.json is missing or damaged"):
        type(fitted).open(tmp_path)


def test_a_folder_of_another_forecaster_is_a_bundle_error(fitted: Forecaster, tmp_path: Path):
    fitted.save(tmp_path)
    other = next(kind for name, kind in FORECASTERS.items() if name != fitted.name)
    with pytest.raises(BundleError, match=f"holds the forecaster '{fitted.name}'"):
        other.open(tmp_path)


def test_forecasting_twice_is_equal(fitted: Forecaster, panel: Panel):
    assert_same(fitted, fitted, panel)


def test_sums_do_not_depend_on_what_was_asked_before(fitted: Forecaster, panel: Panel):
    before = fitted.sums(replace(panel), 9, LEVELS)
    fitted.forecast(panel, 14)
    np.testing.assert_array_equal(fitted.sums(panel, 9, LEVELS), before)


@pytest.mark.parametrize("horizon", [1, 14, 60])
def test_figures_are_finite_and_quantiles_never_fall(fitted: Forecaster, panel: Panel, horizon: int):
    forecast = fitted.forecast(panel, horizon)
    assert forecast.mean_units.shape == (len(panel), horizon)
    assert forecast.quantiles.shape == (len(panel), horizon, len(forecast.levels))
    for figures in (forecast.mean_units, forecast.quantiles, fitted.sums(panel, horizon, LEVELS)):
        assert figures.dtype == np.float32
        assert np.isfinite(figures).all()
        assert (figures >= 0).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert (np.diff(fitted.sums(panel, horizon, LEVELS), axis=1) >= 0).all()


def test_days_after_as_of_change_nothing(fitted: Forecaster, panel: Panel):
    as_of = date(2024, 4, 30)
    days = (as_of - panel.first_day).days + 1
    short = panel.until(as_of)
    other = replace(panel, units=_overwritten(panel.units, days)).until(as_of)
    one, two = (make_forecaster(fitted.name, SETTINGS).fit(learnt) for learnt in (short, other))
    assert_same(one, two, short)


def _overwritten(units: np.ndarray, days: int) -> np.ndarray:
    changed = units.copy()
    changed[:, days:] = np.where(np.isnan(units[:, days:]), np.nan, 99)
    return changed


def test_a_constant_series_is_forecast_as_that_constant(fitted: Forecaster):
    panel = flat_panel(np.repeat([[1.0], [5.0], [20.0]], 112, axis=1))
    forecast = make_forecaster(fitted.name, SETTINGS).fit(panel).forecast(panel, 7)
    expected = np.repeat([[1.0], [5.0], [20.0]], 7, axis=1)
    np.testing.assert_allclose(forecast.mean_units, expected, rtol=0.03)
    np.testing.assert_allclose(forecast.quantiles, np.repeat(expected[:, :, None], 9, axis=2), rtol=0.05)


def test_series_without_sales_are_forecast_as_nothing(fitted: Forecaster):
    units = np.zeros((6, 112))
    units[:, 0] = 1
    panel = flat_panel(units)
    forecast = make_forecaster(fitted.name, SETTINGS).fit(panel).forecast(panel, 14)
    assert forecast.mean_units.max() < 0.05
    assert forecast.quantiles[:, :, 3].max() == pytest.approx(0, abs=0.05)


def test_a_series_of_one_day_gets_a_forecast(fitted: Forecaster, panel: Panel):
    units = panel.units.copy()
    units[3, :-1], units[3, -1] = np.nan, 2
    young = replace(panel, units=units)
    forecast = fitted.forecast(young, 14)
    assert np.isfinite(forecast.quantiles[3]).all()
    assert 0 < forecast.mean_units[3].mean() < 3


def test_a_shop_that_is_closed_sells_nothing(fitted: Forecaster, panel: Panel):
    is_open = panel.facts.is_open.copy()
    is_open[panel.days + 2] = False
    closed = replace(panel, facts=replace(panel.facts, is_open=is_open))
    forecast = fitted.forecast(closed, 7)
    assert (forecast.mean_units[:, 2] == 0).all()
    assert (forecast.quantiles[:, 2] == 0).all()
    assert (forecast.mean_units[:, 3].sum()) > 0


def test_a_location_that_is_closed_by_its_own_calendar_sells_nothing(fitted: Forecaster, panel: Panel):
    is_open = panel.facts.is_open.copy()
    is_open[panel.days + 2] = False
    here = np.array(panel.location_ids) == "s1"
    closed = replace(
        panel, calendar=np.where(here, 0, -1).astype(np.int32), own_facts=(replace(panel.facts, is_open=is_open),)
    )
    forecast, usual = fitted.forecast(closed, 7), fitted.forecast(panel, 7)
    assert (forecast.mean_units[here, 2] == 0).all()
    assert (forecast.quantiles[here, 2] == 0).all()
    np.testing.assert_array_equal(forecast.mean_units[~here], usual.mean_units[~here])
    assert (forecast.mean_units[here, 3].sum()) > 0


def test_days_on_which_a_product_was_not_on_offer_show_no_demand(fitted: Forecaster):
    units = np.random.default_rng(2).poisson(6.0, (40, 112))
    gone = np.zeros(units.shape, bool)
    gone[:20, 70:98] = True
    units = np.where(gone, 0, units)
    panel = replace(flat_panel(units), ranged=~gone)
    forecast = make_forecaster(fitted.name, SETTINGS).fit(panel).forecast(panel, 7)
    assert forecast.mean_units[:20].mean() == pytest.approx(6, rel=0.25)


def test_what_is_no_longer_on_offer_gets_no_forecast_and_is_still_learnt_from(fitted: Forecaster):
    units = np.random.default_rng(2).poisson(6.0, (40, 112))
    ranged = np.ones(units.shape, bool)
    ranged[:5, 105:] = False
    panel = replace(flat_panel(np.where(ranged, units, 0)), ranged=ranged)
    model = make_forecaster(fitted.name, SETTINGS).fit(panel)
    assert len(model.forecast(listed_panel(panel, SETTINGS), 7).product_ids) == 35


@pytest.mark.parametrize("name", ["seasonal_naive", "boosted"])
def test_the_weekly_pattern_is_found(name: str, panel: Panel):
    row = list(zip(panel.product_ids, panel.location_ids, strict=True)).index(("p00", "s0"))
    forecast = make_forecaster(name, SETTINGS).fit(panel).forecast(panel, 7)
    saturday = [day.weekday() for day in panel.target_dates(7)].index(5)
    assert int(forecast.mean_units[row].argmax()) == saturday
    assert forecast.mean_units[row, saturday] > 1.3 * np.delete(forecast.mean_units[row], saturday).mean()


@pytest.mark.parametrize("name", ["moving_average", "seasonal_naive", "tsb"])
def test_a_few_days_of_history_are_enough_for_the_simple_ones(name: str):
    panel = flat_panel(np.full((3, 9), 4.0))
    forecast = make_forecaster(name, SETTINGS).fit(panel).forecast(panel, 14)
    np.testing.assert_allclose(forecast.mean_units, 4, rtol=1e-5)


def test_boosted_says_how_many_days_it_needs():
    with pytest.raises(HistoryError, match=r"boosted needs 28 days .* has 9: .*moving_average"):
        make_forecaster("boosted", SETTINGS).fit(flat_panel(np.full((3, 9), 4.0)))


def test_four_weeks_of_history_are_enough_for_boosted():
    panel = flat_panel(np.random.default_rng(3).poisson(2.0, (30, 28)))
    forecast = make_forecaster("boosted", SETTINGS).fit(panel).forecast(panel, 14)
    assert forecast.mean_units.mean() == pytest.approx(2, rel=0.25)


def test_one_day_of_history_is_refused_with_the_remedy(fitted: Forecaster):
    with pytest.raises(HistoryError, match=r"over 1 days up to 2024-01-01|boosted needs 28 days .* has 1"):
        make_forecaster(fitted.name, SETTINGS).fit(flat_panel(np.ones((2, 1))))


@pytest.mark.parametrize("name", list(FORECASTERS))
def test_a_short_history_of_noise_keeps_its_level(name: str):
    random = np.random.default_rng(5)
    units = random.gamma(2.0, 0.8, (60, 56)) * (random.random((60, 56)) < 0.4)
    units[:, 0] = 1  # listed from the first day on
    forecast = make_forecaster(name, SETTINGS).fit(flat_panel(units)).forecast(flat_panel(units), 14)
    assert 0.85 < forecast.mean_units.mean() / units.mean() < 1.15
