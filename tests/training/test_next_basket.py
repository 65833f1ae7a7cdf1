"""What is hidden, what is known, and on which days, on histories written by hand."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.history import Purchases, purchases_from
from models.personal import Personal
from models.settings import RecommendSettings
from tests.fixtures import tiny_models
from tests.fixtures.hand_history import START, history
from training import next_basket
from training.next_basket import first_baskets, hide_last_baskets
from training.recommend_question import Question

SETTINGS = RecommendSettings()
Row = tuple[str, str, int]  # household, product, days after START


@pytest.fixture
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_basket, "LEAST_LINES", 1)


def rows(purchases: Purchases, keep: np.ndarray | None = None) -> set[Row]:
    first = (START - date(1970, 1, 1)).days
    chosen = np.flatnonzero(np.ones(len(purchases), bool) if keep is None else keep)
    return {(purchases.customers[purchases.customer[at]], purchases.products[purchases.product[at]],
             int(purchases.day[at]) - first) for at in chosen}  # fmt: skip


def truth(question: Question) -> set[tuple[str, str]]:
    pairs = zip(question.truth_query.tolist(), question.truth_product.tolist(), strict=True)
    return {(question.households[query], question.history.products[product]) for query, product in pairs}


@pytest.mark.usefixtures("few_lines")
def test_only_the_last_basket_of_each_household_is_hidden() -> None:
    bought = {("early", "a"): [1, 5, 9, 13], ("early", "b"): [13], ("late", "a"): [2, 60, 100], ("late", "c"): [190]}
    hidden = hide_last_baskets(history(bought, 200), aligned=False)
    assert rows(hidden.everything, hidden.rows) == {("early", "a", 13), ("early", "b", 13), ("late", "c", 190)}
    assert rows(hidden.history) == {("early", "a", 1), ("early", "a", 5), ("early", "a", 9), ("late", "a", 2),
                                    ("late", "a", 60), ("late", "a", 100)}  # fmt: skip


@pytest.mark.usefixtures("few_lines")
def test_aligned_the_hidden_basket_is_tomorrow_for_everyone() -> None:
    bought = {("early", "a"): [1, 5, 9, 13], ("late", "a"): [2, 60, 100, 190]}
    hidden = hide_last_baskets(history(bought, 200))
    before = {"early": (12, 8, 4), "late": (188, 130, 90)}
    assert rows(hidden.history) == {(who, "a", 201 - days) for who, every in before.items() for days in every}
    assert hidden.history.as_of == START + timedelta(days=200)


@pytest.mark.usefixtures("few_lines")
def test_moved_orders_are_numbered_by_their_new_days() -> None:
    bought = {("early", "a"): [1, 5, 9, 13], ("late", "a"): [2, 60, 100, 190]}
    found = hide_last_baskets(history(bought, 200)).history
    by_order = np.argsort(found.order)
    assert (np.diff(found.day[by_order]) >= 0).all()
    assert sorted(found.order.tolist()) == list(range(6))


@pytest.mark.usefixtures("few_lines")
@pytest.mark.parametrize("aligned", [True, False])
def test_what_a_hidden_basket_holds_changes_nothing_that_is_known(aligned: bool) -> None:
    """Not even that a product exists which only hidden baskets hold."""
    bought = {("one", "a"): [1, 5, 9], ("two", "a"): [2, 60, 100, 190]}
    plain = hide_last_baskets(history(bought | {("one", "b"): [13]}, 200), aligned).history
    other = hide_last_baskets(history(bought | {("one", "zz"): [(13, 9.0)]}, 200), aligned).history
    assert plain.products.values == other.products.values == ["a"]
    for name in ("customer", "product", "order", "day", "units", "amount", "location"):
        assert np.array_equal(getattr(plain, name), getattr(other, name))


@pytest.mark.usefixtures("few_lines")
def test_an_earlier_basket_of_the_same_day_is_known() -> None:
    plain = history({("one", "a"): [1, 5, 9], ("one", "b"): [9]}, 20)
    order = np.where((plain.product == 1), 9, plain.order).astype(np.int32)
    hidden = hide_last_baskets(replace(plain, order=order))
    assert rows(hidden.everything, hidden.rows) == {("one", "b", 9)}
    assert ("one", "a", 20) in rows(hidden.history)


@pytest.mark.usefixtures("few_lines")
def test_households_with_three_baskets_are_left_out_altogether() -> None:
    bought = {("three", "a"): [1, 2, 3], ("four", "b"): [1, 2, 3, 4]}
    hidden = hide_last_baskets(history(bought, 20))
    assert hidden.history.customers.values == ["four"]
    assert hidden.question(SETTINGS).households == ["four"]


def test_products_with_fewer_than_17_lines_are_left_out_and_do_not_count_as_baskets() -> None:
    bought = {("one", "often"): list(range(0, 34, 2)), ("one", "seldom"): list(range(50, 66)),
              ("two", "often"): [1, 2, 3], ("two", "seldom"): []}  # fmt: skip
    hidden = hide_last_baskets(history(bought, 100))
    assert hidden.history.products.values == ["often"]
    assert hidden.history.customers.values == ["one"]
    assert len(hidden.history) == 16


@pytest.mark.usefixtures("few_lines")
def test_the_question_holds_the_hidden_baskets_and_a_model_can_answer_it() -> None:
    bought = {("one", "a"): [1, 5, 9, 13], ("one", "b"): [1, 5], ("two", "c"): [2, 60, 100, 190]}
    question = hide_last_baskets(history(bought, 200)).question(SETTINGS)
    assert truth(question) == {("one", "a"), ("two", "c")}
    assert question.cutoff == START + timedelta(days=201)
    best = Personal(SETTINGS).fit(question.history).score(question.queries, 1)
    assert {question.history.products[product] for product in best.product} == {"a", "c"}


CUTOFF = START + timedelta(days=10)


def test_the_first_basket_after_a_monday_is_asked_about_and_no_other() -> None:
    bought = {("one", "a"): [1, 3, 5, 12, 15], ("one", "b"): [15], ("few", "a"): [1, 2, 11], ("none", "a"): [1, 2, 3],
              ("much later", "a"): [1, 2, 3, 60]}  # fmt: skip
    later = history(bought, 100)
    base = Question.of_nobody(CUTOFF, later.until(CUTOFF - timedelta(days=1)), SETTINGS)
    question = first_baskets(base, later)
    assert truth(question) == {("one", "a")}
    assert question.households == ["one"]


def test_rows_after_the_first_basket_change_no_question() -> None:
    table = tiny_models.history_table()
    cutoff = date(2024, 4, 8)
    base = Question.of_nobody(cutoff, purchases_from(table, cutoff - timedelta(days=1)), SETTINGS)
    plain = first_baskets(base, purchases_from(table, date(2024, 5, 5)))
    frame = table.to_pandas()
    after = frame[(frame["day"] >= cutoff) & frame["account_id"].notna()]
    firsts = set(after.sort_values("ordered_at").groupby("account_id").head(1)["order_id"])
    short = frame[(frame["day"] < cutoff) | frame["order_id"].isin(firsts)]
    found = first_baskets(base, purchases_from(pa.Table.from_pandas(short, preserve_index=False), date(2024, 5, 5)))
    assert plain.households == found.households
    assert len(plain) > 40
    assert truth(plain) == truth(found)
    assert plain.truth_count.tolist() == found.truth_count.tolist()
