from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from features.demand import Panel
from features.errors import HistoryError
from models.observed import listed_panel
from models.settings import ForecastSettings
from tests.fixtures import tiny_models
from training.forecast_backtest import actual_units, backtest_forecast, check_cutoffs

SETTINGS = ForecastSettings(horizon_days=14)
WHOLE = tiny_models.panel()
CUTOFFS = [date(2024, 4, 22), date(2024, 5, 6)]


def load(as_of: date) -> Panel:
    return WHOLE.until(as_of)


@pytest.fixture(scope="module")
def board():
    return backtest_forecast(load, CUTOFFS, SETTINGS, ["moving_average", "seasonal_naive"])


def test_every_method_is_scored_at_every_cutoff_in_every_segment(board):
    frame = board.frame()
    assert set(frame["method"]) == {"moving_average", "seasonal_naive"}
    assert sorted(set(frame["cutoff"])) == CUTOFFS
    assert {"all", "horizon 1-7", "horizon 8-14", "demand intermittent"} <= set(frame["segment"])
    assert {
        "wape",
        "rmsse",
        "bias",
        "pinball",
        "pinball_q95",
        "coverage_q95",
        "sum_pinball",
        "sum_coverage_q95",
    } <= set(frame["metric"])


def test_the_score_is_that_of_the_days_from_the_cutoff_on(board):
    panel = listed_panel(load(CUTOFFS[0] - timedelta(days=1)), SETTINGS)
    start = panel.days
    keys = set(zip(panel.product_ids, panel.location_ids, strict=True))
    rows = np.array([key in keys for key in zip(WHOLE.product_ids, WHOLE.location_ids, strict=True)])
    actual = WHOLE.units[rows, start : start + 14]
    mean = panel.units[:, -28:]
    mean = np.nanmean(mean, axis=1, keepdims=True)
    expected = np.abs(actual - mean).sum() / actual.sum()
    frame = board.frame().set_index(["cutoff", "method", "segment", "metric"])["value"]
    assert frame[(CUTOFFS[0], "moving_average", "all", "wape")] == pytest.approx(expected, rel=1e-4)


def test_series_that_stopped_selling_are_learnt_from_and_not_judged():
    settings = ForecastSettings(horizon_days=14, active_days=7)
    board = backtest_forecast(load, CUTOFFS[:1], settings, ["moving_average"])
    learnt = load(CUTOFFS[0] - timedelta(days=1))
    recently = (np.nan_to_num(learnt.units[:, -7:]) > 0).any(axis=1)
    assert 0 < recently.sum() < len(learnt)
    assert board.facts["series"][CUTOFFS[0].isoformat()] <= recently.sum()


def test_a_series_that_the_later_panel_no_longer_lists_sold_nothing():
    panel = load(CUTOFFS[0] - timedelta(days=1))
    later = load(CUTOFFS[0] + timedelta(days=13))
    fewer = later.only(np.arange(1, len(later)))
    row = list(zip(panel.product_ids, panel.location_ids, strict=True)).index(
        (later.product_ids[0], later.location_ids[0])
    )
    assert actual_units(later, panel, 14)[row].sum() > 0
    assert (actual_units(fewer, panel, 14)[row] == 0).all()


def test_days_out_of_stock_are_not_judged():
    panel = load(CUTOFFS[0] - timedelta(days=1))
    later = load(CUTOFFS[0] + timedelta(days=13))
    available = np.ones(later.units.shape, np.float32)
    available[:, panel.days + 3] = 0
    assert np.isnan(actual_units(replace(later, available=available), panel, 14)).all(axis=0).tolist() == [
        day == 3 for day in range(14)
    ]


def test_a_cutoff_too_late_names_the_latest_one():
    with pytest.raises(HistoryError, match=r"the data end on 2024-05-10: choose 2024-04-27 or earlier"):
        check_cutoffs([date(2024, 5, 6)], 14, date(2024, 5, 10))


def test_no_cutoff_is_refused():
    with pytest.raises(HistoryError, match="name at least one day"):
        backtest_forecast(load, [], SETTINGS, ["moving_average"])


def test_a_later_panel_that_began_too_late_is_refused():
    panel = load(CUTOFFS[0] - timedelta(days=1))
    later = load(CUTOFFS[0] + timedelta(days=13))
    short = replace(later, first_day=CUTOFFS[0] + timedelta(days=1), units=later.units[:, panel.days + 1 :])
    with pytest.raises(HistoryError, match="longer history_days"):
        actual_units(short, panel, 14)
