"""Typical gaps and due dates on histories written by hand."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.customers import owned_of
from features.history import Purchases, day_number, purchases_from
from models.typical_gaps import PRIOR_GAPS, USUAL_GAP_DAYS, TypicalGaps

START = date(2024, 1, 1)


def history(bought: dict[tuple[str, str], list[int]], category: dict[str, str] | None = None) -> Purchases:
    """(customer, product) → days after START on which it was bought."""
    rows = [(customer, product, START + timedelta(days=day)) for (customer, product), days in bought.items()
            for day in days]  # fmt: skip
    table = pa.table({
        "order_id": [f"{customer}-{day}" for customer, _, day in rows],
        "product_id": [product for _, product, _ in rows],
        "account_id": [customer for customer, _, _ in rows],
        "channel": ["pos"] * len(rows),
        "location_id": ["s"] * len(rows),
        "ordered_at": [datetime(day.year, day.month, day.day) for *_, day in rows],
        "day": pa.array([day for *_, day in rows], pa.date32()),
        "net_units": [1.0] * len(rows),
        "net_amount": [1.0] * len(rows),
        "gift": [False] * len(rows),
    })  # fmt: skip
    catalog = pa.table({
        "product_id": list(category or {}), "name": list(category or {}),
        "category": [[name] for name in (category or {}).values()], "brand": ["b"] * len(category or {}),
    }) if category else None  # fmt: skip
    return purchases_from(table, START + timedelta(days=200), catalog)


def test_a_regular_customer_is_due_one_gap_after_the_last_purchase() -> None:
    purchases = history({("c", "milk"): list(range(0, 140, 7))})
    owned = owned_of(purchases, 60)
    due = TypicalGaps.fit(purchases).due(owned, np.array([0]))
    assert due.day.tolist() == [day_number(START) + 133 + 7]
    assert due.earliest <= due.day <= due.latest


def test_few_own_gaps_are_drawn_to_the_products_median() -> None:
    regulars = {(f"r{i}", "milk"): list(range(0, 100, 10)) for i in range(40)}
    purchases = history({**regulars, ("new", "milk"): [0, 40]})
    owned = owned_of(purchases, 60)
    entry = owned.find(np.array([purchases.customers.code("new")], np.int32), np.array([0], np.int32))
    gap = TypicalGaps.fit(purchases).gap_days(owned, entry)
    assert gap == pytest.approx([(40 + 10 * PRIOR_GAPS) / (1 + PRIOR_GAPS)])


def test_a_product_nobody_bought_twice_takes_its_categorys_gap() -> None:
    regulars = {(f"r{i}", "milk"): list(range(0, 100, 5)) for i in range(40)}
    others = {(f"r{i}", "paint"): list(range(0, 180, 60)) for i in range(40)}
    purchases = history({**regulars, **others, ("a", "oat milk"): [3], ("a", "ink"): [3]},
                        {"milk": "drinks", "oat milk": "drinks", "paint": "home"})  # fmt: skip
    gaps = dict(zip(purchases.products, TypicalGaps.fit(purchases).product_gap_days.tolist(), strict=True))
    assert gaps["milk"] == pytest.approx(5, abs=0.1)
    assert gaps["oat milk"] == pytest.approx(5, abs=0.2)
    assert gaps["paint"] == pytest.approx(60, rel=0.3)
    assert gaps["ink"] == pytest.approx(5, abs=0.2)  # no category: all gaps together


def test_without_any_second_purchase_a_usual_gap_is_assumed() -> None:
    purchases = history({("a", "milk"): [1], ("b", "ink"): [2]})
    assert TypicalGaps.fit(purchases).product_gap_days.tolist() == [USUAL_GAP_DAYS] * 2


def test_one_in_five_falls_before_the_earliest_and_after_the_latest_day() -> None:
    random = np.random.default_rng(0)
    days = {(f"c{i}", "milk"): np.cumsum(random.integers(2, 19, 10)).tolist() for i in range(200)}
    typical = TypicalGaps.fit(history(days))
    gaps = np.concatenate([np.diff(values) for values in days.values()]) / typical.product_gap_days[0]
    assert (gaps < typical.early_ratio).mean() <= 0.2
    assert (gaps > typical.late_ratio).mean() <= 0.2
    assert typical.early_ratio < 1 < typical.late_ratio
