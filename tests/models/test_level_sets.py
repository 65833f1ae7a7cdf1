import numpy as np
import pytest
from scipy.stats import poisson

from models.distribution import Distribution, Past
from models.level_sets import LEVELS, LevelSets

RANDOM = np.random.default_rng(5)


def poisson_pairs(count: int = 60_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = np.exp(RANDOM.uniform(np.log(0.05), np.log(50), count)).astype(np.float32)
    return mean, RANDOM.poisson(mean).astype(np.float32), np.sqrt(mean)


def test_the_quantiles_of_poisson_demand_are_found_at_every_mean():
    sets = LevelSets.fit(*poisson_pairs())
    mean = np.array([3.0, 10.0, 40.0], np.float32)
    found = sets.at(mean, np.sqrt(mean), (0.1, 0.5, 0.9, 0.99))
    expected = poisson.ppf(np.array([0.1, 0.5, 0.9, 0.99]), mean[:, None])
    np.testing.assert_allclose(found, expected, rtol=0.12, atol=0.7)


def test_slow_demand_is_mostly_nothing():
    sets = LevelSets.fit(*poisson_pairs())
    assert sets.at(np.array([0.1], np.float32), np.array([0.316], np.float32), (0.5, 0.8)).max() < 0.05


def test_quantiles_never_fall_with_the_level():
    sets = LevelSets.fit(*poisson_pairs(3_000))
    mean = np.linspace(0, 200, 400).astype(np.float32)
    assert (np.diff(sets.at(mean, np.sqrt(mean), LEVELS.tolist()), axis=1) >= -1e-5).all()


def test_quantiles_never_fall_with_the_mean_within_the_learnt_range():
    sets = LevelSets.fit(*poisson_pairs(1_000))
    mean = np.linspace(0, 45, 400).astype(np.float32)
    spread = np.exp(sets.spread_line[0] + sets.spread_line[1] * np.log(np.maximum(mean, 1e-9)))
    assert (np.diff(sets.at(mean, spread, (0.5, 0.95)), axis=0) >= -1e-4).all()


def test_a_restless_series_gets_a_wider_range_than_a_calm_one():
    mean = np.full(40_000, 5, np.float32)
    spread = np.where(np.arange(40_000) % 2 == 0, 1.0, 4.0)
    actual = np.maximum(mean + spread * RANDOM.standard_normal(40_000), 0)
    calm, restless = LevelSets.fit(mean, actual, spread).at(mean[:2], np.array([1.0, 4.0]), (0.95,))[:, 0]
    assert calm == pytest.approx(5 + 1.645, rel=0.05)
    assert restless == pytest.approx(5 + 4 * 1.645, rel=0.05)


def test_above_the_topmost_set_deviations_grow_with_the_own_spread():
    mean, actual, spread = poisson_pairs()
    sets = LevelSets.fit(mean, actual, spread)
    huge = sets.at(np.array([10_000.0]), np.array([100.0]), (0.95,))[0, 0]
    assert 10_000 + 1.3 * 100 < huge < 10_000 + 2.2 * 100


def test_a_mean_of_zero_has_its_own_set():
    mean = np.zeros(1_000, np.float32)
    actual = np.where(np.arange(1_000) < 950, 0.0, 2.0)
    sets = LevelSets.fit(mean, actual, mean)
    assert sets.at(mean[:1], mean[:1], (0.5, 0.9, 0.99))[0].tolist() == [0, 0, 2]


def test_one_pair_is_enough_for_an_answer():
    sets = LevelSets.fit(np.array([4.0]), np.array([6.0]), np.array([2.0]))
    assert np.isfinite(sets.at(np.array([0.0, 4.0, 9.0]), np.array([0.0, 2.0, 3.0]), (0.05, 0.99))).all()


def test_restored_level_sets_answer_to_the_bit():
    sets = LevelSets.fit(*poisson_pairs(2_000))
    mean = np.linspace(0, 60, 50).astype(np.float32)
    other = LevelSets.restored(sets.content())
    np.testing.assert_array_equal(sets.at(mean, mean, (0.5, 0.95)), other.at(mean, mean, (0.5, 0.95)))


def test_sums_are_calibrated_on_totals_and_interpolated_between_periods():
    mean = np.full((4_000, 14), 2, np.float32)
    shared = RANDOM.gamma(4, 0.25, (4_000, 1))  # a whole period is good or bad together: daily quantiles mislead
    past = [Past(mean, RANDOM.poisson(mean * shared).astype(np.float32), np.full(4_000, 1.7, np.float32))]
    learnt = Distribution.fit(past)
    total = past[0].actual
    for days in (9, 11, 13):
        found = learnt.of_sums(np.full(1, 2.0 * days, np.float32), np.full(1, 1.7, np.float32), days, (0.95,))[0, 0]
        assert found == pytest.approx(np.quantile(total[:, :days].sum(axis=1), 0.95), rel=0.06)


def test_a_product_that_mostly_sells_nothing_may_sell_nothing_whatever_its_mean():
    mean = np.exp(RANDOM.uniform(np.log(0.01), np.log(0.5), 60_000)).astype(np.float32)
    actual = np.where(RANDOM.random(60_000) < mean / 3, 3.0, 0.0)
    found = LevelSets.fit(mean, actual, np.sqrt(3 * mean)).at(
        np.array([1.5], np.float32), np.array([1.0]), (0.05, 0.5, 0.99)
    )
    assert found[0, :2].tolist() == [0, 0]
    assert found[0, 2] > 3


def test_few_hot_series_among_many_slow_ones_have_sets_of_their_own():
    mean = np.concatenate([np.full(60_000, 0.05), np.full(1_500, 8.0)]).astype(np.float32)
    found = LevelSets.fit(mean, RANDOM.poisson(mean), np.sqrt(mean)).at(
        np.array([8.0]), np.array([np.sqrt(8.0)]), (0.15, 0.9)
    )
    np.testing.assert_allclose(found[0], poisson.ppf([0.15, 0.9], 8.0), atol=0.7)
