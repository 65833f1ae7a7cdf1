"""What comes back is laid to its sale, never twice, and adds up to the line."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.engine import Engine, engine_in
from features.returns import is_return, matched_returns
from features.sources import Orders
from tests.fixtures.hand_lines import line, rows_of, table

TOLD = ("order_id", "units", "amount", "sale_order_id", "matched_by", "reason")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("returns")
    with engine_in(folder) as opened:
        yield opened


def match(engine: Engine, *lines: Any, days: int = 365, order_twins: Any | None = None) -> Any:
    every = engine.ibis.create_table("every_line", table(*lines).to_pyarrow(), overwrite=True)
    back = is_return(every)
    expression = matched_returns(engine, every.filter(back), every.filter(~back), Orders(return_days=days),
                                 order_twins)  # fmt: skip
    return engine.keep("matched", expression)


def told(engine: Engine, *lines: Any, **settings: Any) -> list[Any]:
    return [(order, float(units), None if amount is None else float(amount), *rest)
            for order, units, amount, *rest in rows_of(match(engine, *lines, **settings), *TOLD)]  # fmt: skip


def back(order: str, at: str, units: float = 1, amount: float | None = 2, **other: Any) -> Any:
    return line(order, at, quantity=-units, amount=None if amount is None else -amount, **other)


def test_the_line_number_tells_first(engine: Engine) -> None:
    lines = (line("till:1", "03-01 10:00", source_line_id="L1"), line("till:2", "03-02 10:00", source_line_id="L2"),
             back("till:9", "03-05 10:00", returns_line_id="L1", returns_order_id="2"))  # fmt: skip
    assert told(engine, *lines) == [("till:9", 1, 2, "till:1", "line number", None)]
    assert rows_of(match(engine, *lines), "sale_line_id", "sale_day") == [("L1", date(2024, 3, 1))]


def test_then_the_order_however_much_later_and_only_the_same_product(engine: Engine) -> None:
    lines = (line("till:1", "01-01 10:00", account_id=None), line("till:1", "01-01 10:00", "tea", account_id=None),
             back("till:9", "12-20 10:00", account_id=None, returns_order_id="1"))  # fmt: skip
    assert told(engine, *lines, days=30) == [("till:9", 1, 2, "till:1", "order and product", None)]
    same_order = line("till:1", "01-01 10:00"), back("till:1", "12-20 10:00")
    assert told(engine, *same_order, days=30) == [("till:1", 1, 2, "till:1", "order and product", None)]


def test_what_an_app_sold_comes_back_to_a_till_that_names_its_order(engine: Engine) -> None:
    lines = line("app:1", "03-01 10:00", account_id=None), back("till:9", "03-02 10:00", returns_order_id="1")
    assert told(engine, *lines) == [("till:9", 1, 2, "app:1", "order and product", None)]


def test_a_number_that_several_other_sources_have_names_none(engine: Engine) -> None:
    lines = (line("app:1", "03-01 10:00", account_id=None), line("web:1", "03-01 10:00", account_id=None),
             back("till:9", "03-02 10:00", returns_order_id="1"))  # fmt: skip
    assert told(engine, *lines) == [("till:9", 1, 2, None, "unmatched", "no sale before it fits")]
    lines = (*lines[:2], back("till:9", "03-02 10:00", returns_order_id="web:1"))
    assert told(engine, *lines) == [("till:9", 1, 2, "web:1", "order and product", None)]


def test_an_order_of_the_own_source_goes_before_one_of_another(engine: Engine) -> None:
    lines = (line("app:1", "03-01 10:00", account_id=None), line("till:1", "03-01 09:00", account_id=None),
             back("till:9", "03-02 10:00", returns_order_id="1"))  # fmt: skip
    assert told(engine, *lines) == [("till:9", 1, 2, "till:1", "order and product", None)]


def test_a_return_that_names_an_order_is_laid_to_no_other(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), back("till:9", "03-02 10:00", returns_order_id="77")
    assert told(engine, *lines) == [("till:9", 1, 2, None, "unmatched", "no sale before it fits")]


def test_an_order_that_was_dropped_as_a_twin_leads_to_the_one_that_was_kept(engine: Engine) -> None:
    twins = pa.table({"source": ["till"], "order_number": ["5"], "kept_order_id": ["app:1"]})
    twins = engine.ibis.create_table("twins", twins, overwrite=True)
    lines = (line("app:1", "03-01 10:00", account_id=None),
             back("till:9", "03-02 10:00", returns_order_id="5", account_id=None))  # fmt: skip
    assert told(engine, *lines, order_twins=twins) == [("till:9", 1, 2, "app:1", "order and product", None)]


def test_a_return_that_both_systems_tell_is_given_back_once(engine: Engine) -> None:
    twins = pa.table({"source": ["till"], "order_number": ["5"], "kept_order_id": ["app:1"]})
    twins = engine.ibis.create_table("twins", twins, overwrite=True)
    lines = (line("app:0", "02-01 10:00"), line("app:1", "03-01 10:00"),
             back("app:9", "03-02 10:00", returns_order_id="1"),
             back("till:9", "03-02 10:01", returns_order_id="5"))  # fmt: skip
    assert told(engine, *lines, order_twins=twins) == [
        ("app:9", 1, 2, "app:1", "order and product", None),
        ("till:9", 1, 2, None, "unmatched", "given back in another system already"),
    ]


def test_what_names_its_order_is_laid_to_no_other(engine: Engine) -> None:
    lines = (line("till:0", "02-01 10:00"), line("till:1", "03-01 10:00"),
             back("till:9", "03-02 10:00", 2, 4, returns_order_id="1"))  # fmt: skip
    assert told(engine, *lines) == [
        ("till:9", 1, 2, None, "unmatched", "more given back than bought"),
        ("till:9", 1, 2, "till:1", "order and product", None),
    ]


def test_then_the_customer_s_latest_sale_at_the_price_before_the_latest_at_another(engine: Engine) -> None:
    lines = (line("till:1", "03-01 10:00"), line("till:2", "03-02 10:00"), line("till:3", "03-03 10:00", amount=3),
             line("till:4", "03-06 10:00"), back("till:9", "03-05 10:00", 3, 6))  # fmt: skip
    assert told(engine, *lines) == [
        ("till:9", 1, 2, "till:1", "customer, product and price", None),
        ("till:9", 1, 2, "till:2", "customer, product and price", None),
        ("till:9", 1, 2, "till:3", "customer and product", None),
    ]


def test_not_after_the_days_allowed_and_not_another_customer_s(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), back("till:9", "03-20 10:00")
    assert told(engine, *lines, days=10)[0][3:] == (None, "unmatched", "no sale before it fits")
    lines = line("till:1", "03-01 10:00", account_id="bob"), back("till:9", "03-02 10:00")
    assert told(engine, *lines)[0][3:] == (None, "unmatched", "no sale before it fits")
    lines = line("till:1", "03-01 10:00", status="cancelled"), back("till:9", "03-02 10:00")
    assert told(engine, *lines)[0][3:] == (None, "unmatched", "no sale before it fits")


def test_units_are_given_back_once_and_money_is_split_to_the_cent(engine: Engine) -> None:
    lines = (line("till:1", "03-01 10:00", quantity=2, amount=20), back("till:8", "03-02 10:00", 1, 10),
             back("till:9", "03-03 10:00", 3, 10))  # fmt: skip
    assert told(engine, *lines) == [
        ("till:8", 1, 10, "till:1", "customer, product and price", None),
        ("till:9", 1, 3.33, "till:1", "customer and product", None),
        ("till:9", 2, 6.67, None, "unmatched", "more given back than bought"),
    ]


def test_money_back_alone_takes_no_units(engine: Engine) -> None:
    lines = (
        line("till:1", "03-01 10:00"),
        line("till:7", "03-02 10:00", quantity=0, amount=-0.5),
        back("till:8", "03-03 10:00"),
        line("till:9", "03-04 10:00", quantity=0, amount=-9, account_id="bob"),
    )
    assert told(engine, *lines) == [
        ("till:7", 0, 0.5, "till:1", "customer and product", None),
        ("till:8", 1, 2, "till:1", "customer, product and price", None),
        ("till:9", 0, 9, None, "unmatched", "no sale before it fits"),
    ]


def test_an_exchange_gives_back_the_earlier_sale(engine: Engine) -> None:
    lines = (line("till:1", "03-01 10:00", "shoe-41"), back("till:2", "03-05 10:00", product="shoe-41"),
             line("till:2", "03-05 10:00", "shoe-42"))  # fmt: skip
    assert told(engine, *lines) == [("till:2", 1, 2, "till:1", "customer, product and price", None)]


def test_a_void_on_the_same_receipt_gives_back_that_receipt(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00", account_id=None), back("till:1", "03-01 10:00", account_id=None)
    assert told(engine, *lines) == [("till:1", 1, 2, "till:1", "order and product", None)]


def test_an_unknown_amount_stays_unknown(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), back("till:9", "03-05 10:00", amount=None)
    assert told(engine, *lines) == [("till:9", 1, None, "till:1", "customer and product", None)]


def test_no_returns_give_no_rows(engine: Engine) -> None:
    assert told(engine, line("till:1", "03-01 10:00")) == []


UNITS = st.sampled_from([Decimal(1), Decimal(2), Decimal("0.75"), Decimal(5)])
SALES = st.lists(st.tuples(st.integers(0, 59), UNITS, st.sampled_from([2, 3])), max_size=6, unique_by=lambda x: x[0])
BACKS = st.lists(st.tuples(st.integers(0, 59), UNITS, st.decimals(0, 9, places=2)), min_size=1, max_size=6,
                 unique_by=lambda x: x[0])  # fmt: skip


def in_turn(sales: list[Any], backs: list[Any]) -> dict[tuple[int, int], Decimal]:
    """The rule told plainly: return after return, each from the best sale on."""
    free = {minute: units for minute, units, _ in sales}
    price = {minute: Decimal(each) for minute, _, each in sales}
    given_back: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for minute, units, amount in sorted(backs):
        before = [one for one in free if one < minute]
        left = units
        for one in sorted(before, key=lambda one: (abs(amount / units - price[one]) > price[one] / 100, -one)):
            part = min(left, free[one])
            free[one], left = free[one] - part, left - part
            given_back[minute, one] += part
    return {pair: part for pair, part in given_back.items() if part}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sales=SALES, backs=BACKS)
def test_rounds_give_what_return_after_return_gives_and_sums_are_the_lines(
    engine: Engine, sales: list[Any], backs: list[Any]
) -> None:
    sold = [line(f"till:s{at}", f"03-01 10:{at:02d}", quantity=units, amount=units * each) for at, units, each in sales]
    returned = [line(f"till:r{at}", f"03-01 10:{at:02d}", quantity=-units, amount=-amount)
                for at, units, amount in backs]  # fmt: skip
    matched = match(engine, *sold, *returned)
    rows = rows_of(matched, "order_id", "sale_order_id", "units", "amount")
    found = {(int(one[6:]), int(other[6:])): units for one, other, units, _ in rows if other}
    assert found == in_turn(sales, backs)
    for at, units, amount in backs:
        own = [row for row in rows if row[0] == f"till:r{at}"]
        assert sum(row[2] for row in own) == units
        assert sum(row[3] for row in own) == amount
        assert all(row[3] >= 0 for row in own)
