"""Chances whose truth is drawn from them, or from others that are known."""

import numpy as np
import pytest

from training.chance_calibration import Told, calibration, reliability

RANDOM = np.random.default_rng(5)
CHANCE = RANDOM.beta(1, 9, 200_000).astype(np.float32)


def odds(chance: np.ndarray) -> np.ndarray:
    return np.log(chance / (1 - chance))


def line(truth: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of CHANCE where `truth` is the chance of each outcome."""
    figures = calibration(CHANCE, RANDOM.random(len(CHANCE)) < truth)
    return figures["slope"], figures["intercept"]


def test_chances_that_come_true_have_slope_1_and_intercept_0() -> None:
    slope, intercept = line(CHANCE)
    assert slope == pytest.approx(1, abs=0.03)
    assert intercept == pytest.approx(0, abs=0.06)


def test_chances_too_extreme_by_half_have_a_slope_of_two_thirds() -> None:
    truth = 1 / (1 + np.exp(-(odds(CHANCE.astype(float).clip(1e-6)) / 1.5 + 0.2)))
    slope, intercept = line(truth)
    assert slope == pytest.approx(2 / 3, abs=0.03)
    assert intercept == pytest.approx(0.2, abs=0.06)


def test_each_tenth_holds_as_many_pairs_and_tells_what_was_said_and_what_came_true() -> None:
    chance = np.repeat([0.1, 0.9], 50).astype(np.float32)
    outcome = np.tile([True, False], 50)
    tenths = reliability(chance, outcome)
    assert [one["pairs"] for one in tenths] == [10] * 10
    assert [round(one["said"], 2) for one in tenths] == [0.1] * 5 + [0.9] * 5
    assert {one["bought"] for one in tenths} == {0.5}
    assert calibration(chance, outcome)["calibration_error"] == pytest.approx(0.4, abs=1e-6)


def test_where_nothing_came_true_there_is_no_slope() -> None:
    assert np.isnan(calibration(CHANCE[:100], np.zeros(100, bool))["slope"])
    assert calibration(CHANCE[:0], np.zeros(0, bool)) == {"pairs": 0}


def test_weeks_are_judged_together() -> None:
    told = Told.nothing()
    told.add(CHANCE[:10], np.ones(10, bool))
    told.add(CHANCE[10:30], np.zeros(20, bool))
    assert told.figures()["pairs"] == 30
    assert told.figures()["bought"] == pytest.approx(1 / 3)
