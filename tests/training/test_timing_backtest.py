"""The purchase cycle's backtest on a shop whose right answers are known."""

from datetime import date, timedelta

import numpy as np
import pytest

from features.errors import HistoryError
from features.history import Purchases
from tests.fixtures.hand_history import START, history
from training.timing_backtest import TimingDays, timing_figures
from training.timing_calibration import calibration_scores, recalibration
from training.timing_dates import household_intervals, timing_scores
from training.timing_reminders import ORDERS, reminder_scores

LAST = 330
WEEKS = (START + timedelta(days=200), START + timedelta(days=221))
SHELF = {"milk": "dairy", "tea": "drinks", "jam": "spreads"}


def whole(category: dict[str, str] | None = SHELF) -> Purchases:
    """Milk about every 8 days, tea about every 20, jam now and then by nobody's rule."""
    random = np.random.default_rng(5)
    bought: dict[tuple[str | None, str], list[int]] = {}
    for number in range(80):
        for product, gap, spread in (("milk", 8, 1), ("tea", 20, 2), ("jam", 30, 25)):
            gaps = np.maximum(gap + random.integers(-spread, spread + 1, LAST // gap + 5), 1)
            days = int(random.integers(0, gap)) + np.cumsum(gaps)
            bought[f"c{number:02}", product] = days[days <= LAST].tolist()
    return history(bought, LAST, category)


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return whole()


def day(number: int) -> date:
    return START + timedelta(days=number)


def test_regular_kinds_are_foretold_to_the_day_and_the_interval_holds_the_mean(purchases: Purchases) -> None:
    found = timing_scores(purchases.until, day(200), day(201), day(220))
    model, five = found["scores"]["model"], found["scores"]["always 5 days"]
    assert found["anchors"] >= found["scored"] > 100
    assert model["within_3_days"][0] > 0.8
    assert model["mean_error_days"][0] < five["mean_error_days"][0]
    for score in found["scores"].values():
        for mean, low, high in score.values():
            assert low <= mean <= high


def test_what_is_learnt_and_known_of_kinds_ends_before_the_anchors(purchases: Purchases) -> None:
    asked: list[date] = []

    def load(until: date) -> Purchases:
        asked.append(until)
        return purchases.until(until)

    timing_scores(load, day(200), day(201), day(210))
    assert asked == [day(200), day(300)]


def test_chances_are_true_and_no_baseline_is_better(purchases: Purchases) -> None:
    found = calibration_scores(purchases.until, list(WEEKS))
    scores = found["scores"]
    assert set(scores) == {"model", "base rate of the category", "Poisson, own rate", "Poisson-Gamma",
                           "decayed frequency, isotonic"}  # fmt: skip
    assert min(scores, key=lambda name: scores[name]["brier"][0]) == "model"
    assert [week["pairs"] for week in found["weeks"].values()] == [240, 240]
    assert scores["model"]["brier_over_model"] == [0, 0, 0]


def test_reminders_of_regular_kinds_come_true_at_the_volume_of_the_rule(purchases: Purchases) -> None:
    found = reminder_scores(purchases.until, list(WEEKS), orders=ORDERS)
    for sides in found.values():
        assert len({score["reminders"] for score in sides.values()}) == 1
        assert sides["model"]["precision"][0] > 0.75
    assert found["one a household"]["model"]["reminders"] <= 2 * 80


def test_the_figures_come_with_their_tables(purchases: Purchases) -> None:
    figures, text = timing_figures(purchases.until, TimingDays(day(200), day(201), day(207), WEEKS[:1]))
    assert set(figures) == {"dates", "chances", "reminders"}
    assert text.count("\n| --- |") == 3
    assert "| model |" in text


def test_without_categories_it_says_what_to_do() -> None:
    with pytest.raises(HistoryError, match=r"no product bought up to .* has a category: map one"):
        timing_scores(whole(None).until, day(200), day(201), day(220))


def test_the_slope_of_too_sure_chances_is_below_one() -> None:
    random = np.random.default_rng(0)
    logit = random.normal(0, 1, 20_000)
    bought = random.random(20_000) < 1 / (1 + np.exp(-logit))
    slope, _ = recalibration((1 / (1 + np.exp(-2 * logit))).astype(np.float32), bought)
    assert slope == pytest.approx(0.5, abs=0.03)


def test_intervals_draw_households_not_rows() -> None:
    household = np.repeat(np.arange(10), 100).astype(np.int32)
    values = np.repeat(np.arange(10) % 2, 100).astype(float)[:, None]
    low, high = household_intervals(values, np.ones_like(values), household, 1)
    assert high[0] - low[0] > 0.4
