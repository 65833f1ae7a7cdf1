"""Groups of households, and lists of the parts, on histories written by hand."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from features.history import Ids, Purchases
from models.contracts import Scored
from models.personal import Personal
from models.settings import RecommendSettings
from tests.fixtures.hand_history import START, history
from training.recommend_lists import answers_of, measured
from training.recommend_question import Question

SETTINGS = RecommendSettings()


def asked(
    bought: dict[tuple[str | None, str], list[int]], cutoff: int = 50, change=lambda purchases: purchases
) -> Question:
    """Everyone who buys from `cutoff` days after START on."""
    later = change(history(bought, 100))
    day = START + timedelta(days=cutoff)
    base = Question.of_nobody(day, later.until(day - timedelta(days=1)), SETTINGS)
    return base.about(later, later.day > base.history.day.max())


def members(question: Question, groups: dict[str, np.ndarray], name: str) -> set[str]:
    return {question.households[at] for at in np.flatnonzero(groups[name])}


def test_cold_households_have_no_order_before_and_light_ones_fewer_than_the_median() -> None:
    bought = {("new", "a"): [60], ("one", "a"): [1, 60], ("two", "a"): [1, 2, 60], ("three", "a"): [1, 2, 3, 60]}
    question = asked(bought)
    groups = question.customer_groups()
    assert members(question, groups, "cold") == {"new"}
    assert members(question, groups, "light") == {"one"}
    assert members(question, groups, "heavy") == {"two", "three"}


def _three_shops(purchases: Purchases) -> Purchases:
    """Households p, q and r go to three shops; anonymous baskets make the first the largest, the last the smallest."""
    names = {None: 0, "p": 0, "q": 1, "r": 2}
    who = [names[purchases.customers[code] if code >= 0 else None] for code in purchases.customer]
    return replace(purchases, locations=Ids(["l0", "l1", "l2"]), location=np.array(who, np.int32))


def test_shops_are_as_large_as_all_orders_in_them_anonymous_ones_too() -> None:
    bought = {(None, "a"): list(range(1, 40)), ("p", "a"): [1, 60], ("q", "a"): [1, 2, 60], ("r", "a"): [1, 60]}
    question = asked(bought, change=_three_shops)
    groups = question.shop_groups()
    assert {name: members(question, groups, name) for name in groups} == {
        "small shop": {"r"}, "middle shop": {"q"}, "large shop": {"p"}}  # fmt: skip


def test_strangers_and_those_of_a_single_shop_are_in_no_group_of_shops() -> None:
    assert asked({("new", "a"): [60], ("old", "a"): [1]}).shop_groups() == {}
    assert asked({("one", "a"): [1, 60], ("two", "a"): [2, 60], ("three", "a"): [3, 60]}).shop_groups() == {}


def test_a_household_counts_in_a_part_only_where_it_has_a_truth_there() -> None:
    bought = {("same", "a"): [1, 60], ("other", "a"): [1], ("other", "b"): [60], ("third", "b"): [1]}
    question = asked(bought)
    lists = answers_of(question, Personal(SETTINGS).fit(question.history), SETTINGS, 10).lists
    values = measured(question, lists, [1, 10])
    order = [question.households.index(name) for name in ("same", "other")]
    assert np.array_equal(values["repeat", "recall@10"][order], [1, np.nan], equal_nan=True)
    assert np.array_equal(values["explore", "recall@10"][order], [np.nan, 1], equal_nan=True)
    assert values["all", "recall@10"][order].tolist() == [1, 1]
    assert values["all", "recall@1"][order].tolist() == [1, 0]


def test_a_shorter_list_is_the_head_of_a_longer_one() -> None:
    question = asked({("h", name): [1, 60] for name in "abcd"})
    listed = Scored(np.zeros(4, np.int32), np.arange(4, dtype=np.int32), np.array([4, 3, 2, 1], np.float32))
    values = measured(question, {"all": listed}, [1, 2, 4])
    assert [values["all", f"recall@{k}"][0] for k in (1, 2, 4)] == [0.25, 0.5, 1]
    assert [values["all", f"ndcg@{k}"][0] for k in (1, 2, 4)] == [1, 1, 1]
