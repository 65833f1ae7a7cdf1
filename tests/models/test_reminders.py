"""Reminders on histories whose due dates are known by construction."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from features.errors import HistoryError
from features.history import Purchases
from features.tables import REMINDERS
from models.reminders import Reminders, ReminderTerms, reminder_table, reminders
from models.repurchase import Repurchase
from tests.fixtures.hand_history import history

AS_OF = 200
EAGER = ReminderTerms(days_ahead=3, most_per_customer=9, least_probability=0)


def shop(category: dict[str, str] | None = None) -> Purchases:
    """Everybody buys milk every 10 days; `stopped` did until day 80, `daily` buys bread every other day."""
    milk = {(f"c{i:02}", "milk"): list(range(i % 10, AS_OF + 1, 10)) for i in range(60)}
    stopped = {(f"s{i:02}", "milk"): list(range(i % 10, 80 + i % 10, 10)) for i in range(20)}
    bread = {("daily", "bread"): list(range(0, AS_OF + 1, 2)), ("daily", "milk"): [AS_OF - 27, AS_OF - 17, AS_OF - 7]}
    return history({**milk, **stopped, **bread}, AS_OF, category)


def found_in(purchases: Purchases, terms: ReminderTerms, opted_out: frozenset[str] = frozenset()) -> Reminders:
    return reminders(Repurchase.fit(purchases), purchases, terms, opted_out)


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return shop()


@pytest.fixture(scope="module")
def all_due(purchases: Purchases) -> dict[int, Reminders]:
    """The reminders of every number of days ahead."""
    model = Repurchase.fit(purchases)
    return {ahead: reminders(model, purchases, replace(EAGER, days_ahead=ahead)) for ahead in range(1, 15)}


def test_who_buys_every_ten_days_is_reminded_before_the_tenth(
    purchases: Purchases, all_due: dict[int, Reminders]
) -> None:
    milk = purchases.products.code("milk")
    due_after = np.concatenate([(found.since + ahead)[found.thing == milk] for ahead, found in all_due.items()])
    assert np.abs(due_after - 10).max() <= 3


def test_each_purchase_has_one_due_date(purchases: Purchases, all_due: dict[int, Reminders]) -> None:
    pairs = [(int(c), int(t)) for found in all_due.values() for c, t in zip(found.customer, found.thing, strict=True)]
    assert len(pairs) == len(set(pairs))
    assert {purchases.customers[c] for c, _ in pairs} >= {f"c{i:02}" for i in range(60) if (AS_OF - i) % 10 < 7}


def test_who_stopped_gets_no_reminder(purchases: Purchases, all_due: dict[int, Reminders]) -> None:
    reminded = {purchases.customers[code] for found in all_due.values() for code in found.customer.tolist()}
    assert not {name for name in reminded if name.startswith("s")}


def test_who_refused_personalisation_gets_none(purchases: Purchases) -> None:
    some = found_in(purchases, EAGER)
    names = {purchases.customers[code] for code in some.customer.tolist()}
    out = sorted(names)[0]
    left = found_in(purchases, EAGER, frozenset({out, "nobody we know"}))
    assert {purchases.customers[code] for code in left.customer.tolist()} == names - {out}


def test_the_table_has_its_columns_and_days_in_order(purchases: Purchases) -> None:
    table = reminder_table(found_in(purchases, EAGER), purchases, 60)
    assert table.column_names == list(REMINDERS.column_names)
    rows = table.to_pylist()
    assert rows
    for row in rows:
        assert row["due_date"] == purchases.as_of + timedelta(days=3)
        assert purchases.as_of < row["earliest"] <= row["due_date"] <= row["latest"]
        assert 0 <= row["probability"] <= 1
        assert row["category"] is None
        assert row["reason"].startswith("you usually buy this every ")
        assert row["reason_zh"].startswith("您通常每")


def test_of_a_category_the_usual_product_is_named() -> None:
    bought = {(f"c{i:02}", kind): list(range(i % 10 + start, AS_OF + 1, step))
              for i in range(60) for kind, start, step in (("whole", 0, 20), ("oat", 10, 40))}  # fmt: skip
    purchases = history(bought, AS_OF, {"whole": "milk", "oat": "milk"})
    rows = reminder_table(found_in(purchases, replace(EAGER, days_ahead=5)), purchases, 60).to_pylist()
    assert rows
    assert {(row["category"], row["product_id"]) for row in rows} == {("milk", "whole")}


def test_no_more_than_asked_for_and_nothing_improbable(purchases: Purchases) -> None:
    many = history({(f"c{i:02}", f"p{p}"): list(range(i % 10, AS_OF + 1, 10)) for i in range(30) for p in range(4)})
    found = found_in(many, replace(EAGER, most_per_customer=2))
    assert np.bincount(found.customer).max() == 2
    assert not len(found_in(purchases, replace(EAGER, least_probability=0.999999)).customer)


def test_a_history_without_repeats_has_no_reminders() -> None:
    purchases = history({("a", "milk"): [3], (None, "milk"): [5, 9]})
    table = reminder_table(found_in(purchases, EAGER), purchases, 60)
    assert table.num_rows == 0
    assert table.column_names == list(REMINDERS.column_names)


@pytest.mark.parametrize(("terms", "words"), [
    ({"days_ahead": 0}, "0 days ahead: reminders are made 1 to 28 days before"),
    ({"most_per_customer": 0}, "0 reminders per customer: ask for at least 1"),
    ({"least_probability": 1.0}, "a least probability of 1.0: name one from 0 to below 1"),
])  # fmt: skip
def test_terms_that_cannot_be_meant_are_refused(terms: dict[str, float], words: str) -> None:
    with pytest.raises(HistoryError, match=words):
        ReminderTerms(**terms)
