import numpy as np
import pytest

from training.forecast_metrics import bias, coverage, demand_classes, naive_scale, pinball, rmsse, wape

ACTUAL = np.array([[2.0, 0.0], [4.0, np.nan]])
MEAN = np.array([[1.0, 1.0], [6.0, 9.0]])


def test_wape_is_absolute_error_over_units_sold():
    assert wape(ACTUAL, MEAN) == pytest.approx((1 + 1 + 2) / 6)


def test_bias_is_positive_when_too_much_was_forecast():
    assert bias(ACTUAL, MEAN) == pytest.approx((-1 + 1 + 2) / 6)


def test_nothing_sold_has_no_wape():
    assert np.isnan(wape(np.zeros(3), np.ones(3)))


def test_rmsse_scales_each_series_by_its_own_changes():
    assert naive_scale(np.array([[np.nan, 1.0, 3.0, 1.0], [5.0, 5.0, 5.0, 5.0]])).tolist() == [2.0, 0.0]
    assert rmsse(ACTUAL, MEAN, np.array([2.0, 4.0])) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert rmsse(ACTUAL, MEAN, np.array([2.0, 0.0])) == pytest.approx(1 / 2)


def test_pinball_weighs_misses_by_the_level():
    quantiles = np.array([[[1.0], [1.0]], [[6.0], [9.0]]])
    loss = (0.9 * 1 + 0.1 * 1 + 0.1 * 2) / 3
    assert pinball(ACTUAL, quantiles, (0.9,)) == pytest.approx([loss / 2])


def test_coverage_counts_actuals_at_or_below():
    quantiles = np.array([[[0.0, 2.0], [0.0, 2.0]], [[0.0, 3.0], [0.0, 3.0]]])
    assert coverage(ACTUAL, quantiles) == pytest.approx([1 / 3, 2 / 3])


def test_demand_is_classed_by_how_often_and_how_evenly_it_sells():
    days = np.arange(40)
    units = np.stack([
        np.full(40, 3.0),
        np.where(days % 4 == 0, 3.0, 0.0),
        np.where(days % 5 == 0, 30.0, 1.0),
        np.where(days % 4 == 0, np.where(days % 16 == 0, 30.0, 1.0), 0.0),
    ])  # fmt: skip
    assert demand_classes(units).tolist() == ["smooth", "intermittent", "erratic", "lumpy"]
