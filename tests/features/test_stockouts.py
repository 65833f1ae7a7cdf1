"""Suspected stock-outs against a truth that is known because it was made up."""

from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pytest

from features.stockouts import StockoutSettings, improbable_runs, suspected_stockouts
from tests.fixtures import tiny_models

NAN = np.nan


class World(NamedTuple):
    """Series [series, days] with hidden stock-outs: expected units, units seen, and the days without stock."""

    mean: Any
    units: Any
    out: Any


@pytest.fixture(scope="module")
def world() -> World:
    """600 series over a year: weekly patterns, levels that drift, days more variable than by chance."""
    random = np.random.default_rng(11)
    series, days = 600, 364
    level = np.exp(random.normal(0.5, 1.2, series))
    week = 7 * random.dirichlet([20] * 7, series)
    drift = np.exp(np.cumsum(random.normal(0, 0.01, (series, days)), axis=1))
    mean = level[:, None] * np.tile(week, (1, days // 7)) * drift
    size = random.choice([0.7, 2, 100], series)[:, None]
    demand = random.poisson(mean * random.gamma(size, 1 / size, (series, days)))
    out = np.zeros((series, days), bool)
    for row in np.flatnonzero(random.random(series) < 0.6):
        for start in random.integers(60, days, 2):
            out[row, start : start + random.integers(2, 15)] = True
    units = np.where(out, 0, demand).astype(np.float32)
    units[np.arange(days) < (units > 0).argmax(axis=1)[:, None]] = np.nan
    return World(mean, units, out)


def test_most_of_what_is_flagged_was_a_stock_out_and_most_lost_demand_is_found(world: World) -> None:
    found = improbable_runs(world.units)
    lost = np.where(world.out, world.mean, 0)
    assert world.out[found.suspected].mean() > 0.9
    assert lost[found.suspected].sum() / lost.sum() > 0.7
    fast = world.mean.mean(axis=1) > 3
    assert found.suspected[fast][world.out[fast]].mean() > 0.85
    assert found.missed_units.sum() == pytest.approx(lost[found.suspected].sum(), rel=0.15)


def test_without_stock_outs_few_series_are_flagged(world: World) -> None:
    untouched = ~world.out.any(axis=1)
    found = improbable_runs(world.units[untouched])
    assert untouched.sum() > 200
    assert found.suspected.any(axis=1).mean() < 0.03


def test_a_higher_chance_flags_more_and_all_that_a_lower_one_does(world: World) -> None:
    strict, loose = (improbable_runs(world.units, settings=StockoutSettings(chance=chance)) for chance in (0.001, 0.05))
    assert strict.suspected.sum() < loose.suspected.sum()
    assert loose.suspected[strict.suspected].mean() > 0.99


def test_what_comes_later_changes_no_earlier_answer_and_a_run_at_the_end_counts(world: World) -> None:
    as_of = 200
    one = improbable_runs(world.units[:, :as_of])
    other = world.units.copy()
    other[:, as_of:] = 7
    two = improbable_runs(other[:, :as_of])
    assert np.array_equal(one.suspected, two.suspected)
    assert one.suspected[:, -1].any()


def test_a_series_is_judged_by_itself(world: World) -> None:
    whole, alone = improbable_runs(world.units), improbable_runs(world.units[41:43])
    assert np.array_equal(whole.suspected[41:43], alone.suspected)
    assert np.array_equal(whole.chance[41:43], alone.chance, equal_nan=True)


def test_units_are_not_touched(world: World) -> None:
    before = world.units.copy()
    improbable_runs(world.units)
    assert np.array_equal(before, world.units, equal_nan=True)


def steady(days: int = 70, units: float = 6.0) -> Any:
    """One series that sells `units` give or take one, and nothing on its last six days."""
    row = units + np.arange(days) % 3 - 1
    row[-6:] = 0
    return row[None, :].astype(np.float32)


def test_a_steady_seller_that_stops_is_flagged_with_what_it_would_have_sold() -> None:
    found = improbable_runs(steady())
    assert np.flatnonzero(found.suspected[0]).tolist() == list(range(64, 70))
    assert found.missed_units[0, 64:].sum() == pytest.approx(36, rel=0.1)
    assert found.chance[0, -1] < 0.001
    assert np.isnan(found.chance[0, :64]).all()


@pytest.mark.parametrize("scale", [0.001, 0.1, 6, 1000])
def test_the_unit_that_is_counted_in_makes_little_difference(scale: float) -> None:
    found = improbable_runs(steady() * np.float32(scale))
    assert found.suspected[0, 64:].all()
    assert found.suspected.sum() == 6


def test_a_day_that_says_nothing_breaks_no_run_and_is_not_flagged() -> None:
    units = steady()
    units[0, 66] = NAN
    found = improbable_runs(units)
    assert np.flatnonzero(found.suspected[0]).tolist() == [64, 65, 67, 68, 69]


def test_days_that_had_stock_are_never_suspected_and_count_for_nothing() -> None:
    in_stock = np.zeros((1, 70), bool)
    in_stock[0, 64:] = True
    assert not improbable_runs(steady(), in_stock).suspected.any()
    in_stock[0, 66:] = False
    assert np.flatnonzero(improbable_runs(steady(), in_stock).suspected[0]).tolist() == [66, 67, 68, 69]


def test_a_shop_that_never_sells_on_sundays_has_no_stock_out_every_sunday() -> None:
    units = np.tile([7, 6, 8, 7, 9, 12, 0], 20)[None, :].astype(np.float32)
    assert not improbable_runs(units).suspected.any()


def test_a_slow_seller_and_a_young_one_are_not_flagged() -> None:
    slow = np.zeros((1, 200), np.float32)
    slow[0, ::20] = 1
    young = np.array([[5, 5, 5, 5, 0, 0, 0, 0]], np.float32)
    assert not improbable_runs(slow).suspected.any()
    assert not improbable_runs(young).suspected.any()


def test_a_run_that_lasts_is_rather_a_product_that_is_gone() -> None:
    gone = np.hstack([steady(), np.zeros((1, 40), np.float32)])
    assert not improbable_runs(gone).suspected.any()
    assert improbable_runs(gone, settings=StockoutSettings(longest_days=50)).suspected.sum() == 46


def test_nothing_to_judge_gives_nothing() -> None:
    for units in (np.empty((0, 5)), np.full((2, 5), NAN), np.zeros((2, 5)), np.ones((2, 5)), np.empty((2, 0))):
        found = improbable_runs(units.astype(np.float32))
        assert found.suspected.shape == units.shape
        assert not found.suspected.any()


def test_closed_days_and_known_stock_outs_of_a_panel_are_skipped() -> None:
    panel = tiny_models.panel()
    row = next(
        i for i, key in enumerate(zip(panel.product_ids, panel.location_ids, strict=True)) if key == ("p00", "s0")
    )
    units = panel.units.copy()
    units[row, 100:104] = 0
    hidden = replace(panel, units=units)
    assert np.flatnonzero(suspected_stockouts(hidden).suspected[row]).tolist() == [100, 101, 102, 103]
    is_open = panel.facts.is_open.copy()
    is_open[100:104] = False
    closed = replace(hidden, facts=replace(panel.facts, is_open=is_open))
    assert not suspected_stockouts(closed).suspected[row].any()
    available = np.full(units.shape, np.nan, np.float32)
    available[row, 100:104] = 0
    assert not suspected_stockouts(replace(hidden, available=available)).suspected[row].any()
    ranged = np.ones(units.shape, bool)
    ranged[row, 100:104] = False
    assert not suspected_stockouts(replace(hidden, ranged=ranged)).suspected[row].any()
    early = suspected_stockouts(hidden.until(date(2024, 4, 12)))
    assert early.suspected[row, -1]
