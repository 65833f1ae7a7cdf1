"""Means over weeks of households, and paired intervals of gains that are known."""

from datetime import date, timedelta

import numpy as np
import pytest

from training.household_scores import Week, Weeks

METRIC = "ndcg@10"


def weeks(values: dict[str, list[list[float]]], groups: list[dict[str, list[bool]]] | None = None) -> Weeks:
    """Method → one list of household values per week; households are numbered, and the same in every week."""
    count = len(next(iter(values.values())))
    made = []
    for number in range(count):
        households = [f"h{place:04d}" for place in range(len(next(iter(values.values()))[number]))]
        week = Week(date(2024, 1, 1) + timedelta(days=7 * number), households)
        for method, lists in values.items():
            week.add(method, {("all", METRIC): np.array(lists[number], np.float32)})
        if groups:
            week.groups = {name: np.array(members) for name, members in groups[number].items()}
        made.append(week)
    return Weeks(made, seed=1)


def test_a_mean_is_over_weeks_of_means_over_households_with_a_truth() -> None:
    found = weeks({"one": [[1, 0, np.nan], [0.5, 0.5, 0.5, 0.5]]})
    assert found.mean("one", "all", METRIC) == 0.5
    assert weeks({"one": [[1, 1, 1, 1], [0]]}).mean("one", "all", METRIC) == 0.5


def test_a_method_that_is_always_a_tenth_better_has_an_interval_without_width() -> None:
    """Unpaired, the spread of the households would make it wider than the gain."""
    base = np.random.default_rng(0).random(400).clip(0.01)
    found = weeks({"plain": [base.tolist()] * 2, "better": [(base * 1.1).tolist()] * 2}).gain("better", "all", METRIC)
    assert found.best == "plain"
    assert [found.value, found.low, found.high] == pytest.approx([0.1, 0.1, 0.1], abs=1e-6)


def test_a_gain_is_over_the_best_other_method_by_the_mean_over_weeks() -> None:
    found = weeks({"a": [[0.5], [0.1]], "b": [[0.3], [0.4]], "mine": [[0.7], [0.7]]}).gain("mine", "all", METRIC)
    assert (found.best, found.best_mean, found.method_mean) == ("b", pytest.approx(0.35), pytest.approx(0.7))
    assert found.value == pytest.approx(1.0)


def test_the_interval_of_a_mean_is_that_of_drawing_households_with_all_their_weeks() -> None:
    """Half the households get 1 in both weeks, half 0: a standard error of 0.5 / sqrt(n), not a week less of it."""
    values = [1.0, 0.0] * 200
    low, high = weeks({"one": [values, values]}).interval("one", "all", METRIC)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.5 / np.sqrt(400), rel=0.1)


def test_no_difference_has_an_interval_around_zero() -> None:
    random = np.random.default_rng(3)
    found = weeks({"a": [random.random(500).tolist()], "b": [random.random(500).tolist()]}).gain("a", "all", METRIC)
    assert found.low < 0 < found.high or abs(found.value) > 0.02


def test_a_group_counts_its_own_households_and_may_be_missing_in_a_week() -> None:
    groups = [{"cold": [True, False]}, {"cold": [False, False]}]
    found = weeks({"one": [[1, 0], [0.2, 0.2]]}, groups)
    assert found.mean("one", "all", METRIC, "cold") == 1
    assert np.isnan(found.mean("one", "all", METRIC, "nobody's"))


def test_draws_are_the_same_for_the_same_seed() -> None:
    values = {"one": [np.random.default_rng(1).random(50).tolist()]}
    assert weeks(values).interval("one", "all", METRIC) == weeks(values).interval("one", "all", METRIC)
