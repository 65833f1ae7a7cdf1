"""What is known of a purchase rhythm at the end of a day, on days written by hand."""

import numpy as np
import pytest

from features.cycles import MOMENT_COLUMNS, THING_COLUMNS, Cycles, Moments, moment_features, thing_facts
from features.history import Purchases, day_number
from tests.fixtures.hand_history import START, history

FIRST = day_number(START)


def cycles_of(purchases: Purchases) -> Cycles:
    return Cycles.of(purchases, np.arange(len(purchases.products), dtype=np.int32), len(purchases.products))


def known(cycles: Cycles, day: int, sequence: int = 0) -> dict[str, float]:
    """The facts of a sequence at the end of a day after START."""
    day += FIRST
    event = cycles.bought_until(np.array([sequence]), np.array([day])) - 1
    row = moment_features(cycles, Moments(event, np.array([day], np.int32)))[0]
    return dict(zip(MOMENT_COLUMNS, row.tolist(), strict=True))


def test_gaps_units_and_visits_are_counted_up_to_the_day() -> None:
    milk = [(0, 1.0), (7, 1.0), (17, 4.0), (20, 1.0)]
    cycles = cycles_of(history({("c", "milk"): milk, ("c", "tea"): [3, 18], (None, "milk"): [19]}))
    facts = known(cycles, 19)
    assert (facts["purchases"], facts["elapsed"], facts["known_days"]) == (3, 2, 19)
    assert (facts["gap_1"], facts["gap_2"]) == (10, 7)
    assert np.isnan(facts["gap_3"])
    assert facts["gap_mean"] == pytest.approx(np.sqrt(70))
    assert (facts["gap_median"], facts["gap_least"], facts["gap_most"]) == (8.5, 7, 10)
    assert facts["gap_spread"] == pytest.approx(np.std(np.log([7, 10])))
    assert (facts["units_last"], facts["units_relative"]) == (4, 4)
    assert facts["bought_28"] == 3
    assert (facts["visits_since"], facts["since_visit"], facts["visits_28"]) == (1, 1, 5)
    assert facts["visit_share"] == pytest.approx(3 / 5)
    assert facts["weekday"] == (START.weekday() + 19) % 7


def test_purchases_of_one_day_are_one_event() -> None:
    cycles = cycles_of(history({("c", "milk"): [(3, 1.0), (3, 2.0), (9, 1.0)]}))
    assert (cycles.day - FIRST).tolist() == [3, 9]
    assert cycles.units.tolist() == [3, 1]
    assert (cycles.next_day - FIRST).tolist()[0] == 9
    assert cycles.next_day[1] == -1


def test_windows_forget_what_is_older() -> None:
    cycles = cycles_of(history({("c", "milk"): [0, 40, 90]}))
    facts = known(cycles, 100)
    assert (facts["bought_28"], facts["bought_91"], facts["bought_182"]) == (1, 2, 3)


def test_later_rows_do_not_change_what_was_known_in_any_bit() -> None:
    random = np.random.default_rng(3)
    bought = {(f"c{i}", f"p{i % 7}"): np.unique(random.integers(0, 200, 25)).tolist() for i in range(40)}
    bought |= {(f"c{i}", "q"): np.unique(random.integers(0, 200, 12)).tolist() for i in range(40)}
    whole = cycles_of(history(bought))
    short = cycles_of(history({pair: [day for day in days if day <= 120] for pair, days in bought.items()}, 120))
    then = short.now
    customer, thing = (column[short.sequence[then.event]] for column in (short.customer, short.thing))
    event = whole.bought_until(whole.find(customer, thing), then.day) - 1
    assert len(whole.day) > len(short.day)
    assert np.array_equal(moment_features(short, then), moment_features(whole, Moments(event, then.day)),
                          equal_nan=True)  # fmt: skip


def test_shares_of_things_count_who_has_not_come_back_and_nothing_too_young() -> None:
    weekly = {(f"w{i}", "milk"): list(range(i % 7, 200, 7)) for i in range(50)}
    once = {(f"o{i}", "paint"): [10 + i % 50] for i in range(200)}
    cycles = cycles_of(history({**weekly, **once}))
    facts = thing_facts(cycles, np.full(2, -1, np.int32), None)
    column = THING_COLUMNS.index
    assert facts[0, column("rebought_7")] > 0.95
    assert facts[0, column("rebought_3")] < 0.05
    assert facts[1, column("rebought_90")] < 0.15
    assert np.exp(facts[0, column("thing_log_gap")]) == pytest.approx(7)
    young = cycles_of(history(weekly, as_of=20))
    assert np.isnan(thing_facts(young, np.full(1, -1, np.int32), None)[0, column("rebought_90")])


def test_facts_of_one_half_of_the_customers_do_not_see_the_other() -> None:
    bought = {(f"c{i:02}", "milk"): list(range(0, 200, 5 if i % 2 else 20)) for i in range(40)}
    cycles = cycles_of(history(bought))
    half = [thing_facts(cycles, np.full(1, -1, np.int32), None, cycles.customer % 2 == part) for part in (0, 1)]
    gaps = [np.exp(facts[0, THING_COLUMNS.index("thing_log_gap")]) for facts in half]
    assert gaps == pytest.approx([20, 5])
