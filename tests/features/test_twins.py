"""The same order seen by two systems is one; what is not certain stays as it is."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.engine import Engine, engine_in
from features.orders import order_headers
from features.sources import Orders
from features.twin_decisions import receipt_links, twins
from features.twins import twin_candidates
from tests.fixtures.hand_lines import line, rows_of, table

PEOPLE = {"ann": "A", "ann-app": "A", "bob": "B"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("twins")
    with engine_in(folder) as opened:
        yield opened


def headers_of(engine: Engine, *lines: Any) -> Any:
    people = ibis.memtable(pa.table({"_account": list(PEOPLE), "customer_id": list(PEOPLE.values())}))
    headers = order_headers(table(*lines))
    headers = headers.left_join(people, headers.account_id == people._account).drop("_account")
    return engine.ibis.create_table("headers", headers.to_pyarrow(), overwrite=True)


def decide(engine: Engine, *lines: Any, minutes: int = 30) -> Any:
    candidates = twin_candidates(headers_of(engine, *lines), Orders(twin_minutes=minutes))
    return engine.keep("decided", twins(engine, candidates))


def kept(engine: Engine, *lines: Any, minutes: int = 30) -> dict[str, str | None]:
    return dict(rows_of(decide(engine, *lines, minutes=minutes), "order_id", "kept_order_id"))


def words(engine: Engine, *lines: Any) -> list[str]:
    found: list[str] = rows_of(decide(engine, *lines), "explanation")
    return found


def test_an_order_that_names_the_other_is_its_twin_whatever_its_amount(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00", amount=45.2, account_id=None), line(
        "app:7", "03-03 11:00", "bread", amount=45, external_order_id="1")  # fmt: skip
    assert rows_of(decide(engine, *lines), "order_id", "day", "kept_order_id", "kept_day", "evidence") == [
        ("app:7", date(2024, 3, 3), "till:1", date(2024, 3, 1), "order-number")
    ]
    assert words(engine, *lines) == ["same order number, 45.00 in app and 45.20 in till, 2 days apart"]


def test_the_same_basket_of_one_customer_minutes_later_is_a_twin(engine: Engine) -> None:
    lines = (
        line("till:1", "03-01 10:00"), line("till:1", "03-01 10:00", "bread", amount=43.2),
        line("app:7", "03-01 10:04", "bread", amount=43.2, account_id="ann-app"),
        line("app:7", "03-01 10:04", account_id="ann-app"),
    )  # fmt: skip
    assert kept(engine, *lines) == {"app:7": "till:1"}
    assert words(engine, *lines) == ["same customer, shop s1, 2 products, 45.20, 4 minutes apart"]
    assert kept(engine, *lines, minutes=3) == {}
    assert kept(engine, *lines, minutes=0) == {}


def test_a_basket_split_over_lines_is_the_same_basket(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00", quantity=2, amount=4), line("app:7", "03-01 10:01"), line(
        "app:7", "03-01 10:01", source_line_id="second")  # fmt: skip
    assert kept(engine, *lines) == {"app:7": "till:1"}


@pytest.mark.parametrize("other", [
    {"account_id": "bob"}, {"account_id": None}, {"location_id": "s2"}, {"product": "bread"}, {"amount": 2.01},
    {"amount": None}, {"status": "cancelled"}, {"quantity": 2}, {"external_order_id": "99"},
])  # fmt: skip
def test_anything_that_differs_leaves_two_orders(engine: Engine, other: dict[str, Any]) -> None:
    first, second = line("till:1", "03-01 10:00"), line("app:7", "03-01 10:04", **other)
    assert kept(engine, first, second) == {}


def test_equal_baskets_of_one_system_are_two_purchases(engine: Engine) -> None:
    assert kept(engine, line("till:1", "03-01 10:00"), line("till:2", "03-01 10:01")) == {}


def test_two_purchases_with_a_twin_each_are_laid_together_in_time_order(engine: Engine) -> None:
    lines = (line("till:1", "03-01 10:00"), line("app:1", "03-01 10:01"),
             line("till:2", "03-01 10:10"), line("app:2", "03-01 10:11"))  # fmt: skip
    assert kept(engine, *lines) == {"app:1": "till:1", "app:2": "till:2", "till:2": None}
    assert "left as it is: app:1 belongs to an earlier order of till" in words(engine, *lines)


def test_what_fits_two_orders_stays(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), line("till:2", "03-01 10:01"), line("app:1", "03-01 10:02")
    assert kept(engine, *lines) == {"app:1": None}
    assert words(engine, *lines) == ["left as it is: 2 earlier orders fit, till:1 is the first"]


def test_among_a_crowd_of_alike_orders_nothing_is_told_apart(engine: Engine) -> None:
    crowd = [line(f"till:{number}", f"03-01 10:{number:02d}") for number in range(10, 19)]
    assert words(engine, *crowd, line("app:1", "03-01 10:30")) == [
        "left as it is: 9 earlier orders are alike, till:10 is the first"
    ]


def test_three_systems_end_at_one_order(engine: Engine) -> None:
    by_basket = line("till:1", "03-01 10:00"), line("app:1", "03-01 10:20"), line("mini:1", "03-01 10:40")
    assert kept(engine, *by_basket) == {"app:1": "till:1", "mini:1": "till:1"}
    by_number = (line("till:1", "03-01 10:00"), line("app:5", "03-01 10:20", external_order_id="1"),
                 line("mini:9", "03-01 10:40", external_order_id="5"))  # fmt: skip
    assert kept(engine, *by_number) == {"app:5": "till:1", "mini:9": "till:1"}


def test_a_purchase_never_gives_way_to_a_cancelled_order(engine: Engine) -> None:
    called_off = line("till:1", "03-01 10:00", status="cancelled")
    bought = line("app:7", "03-01 10:04", external_order_id="1")
    assert kept(engine, called_off, bought) == {"app:7": None}
    assert words(engine, called_off, bought) == ["left as it is: till:1 of the same number was cancelled"]
    late = line("till:1", "03-01 10:05", status="cancelled")
    assert words(engine, bought, late) == ["same order number, 2.00, 60 seconds apart, cancelled in till"]


def test_a_number_that_nothing_else_bears_out_is_chance(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), line("app:7", "03-01 10:04", amount=9, account_id="bob",
                                                location_id="s2", external_order_id="1")  # fmt: skip
    assert kept(engine, *lines) == {"app:7": None}
    assert words(engine, *lines) == [
        "left as it is: till:1 has the same number, but customer, location and amount are others"
    ]


def test_a_placeholder_for_a_number_makes_no_twins(engine: Engine) -> None:
    lines = [line(f"{source}:{number}", f"03-01 {number:02d}:00", external_order_id="0")
             for number in range(20) for source in ("till", "app")]  # fmt: skip
    assert len([value for value in kept(engine, *lines).values() if value]) <= 8


def test_an_order_number_ties_accounts_from_the_day_of_the_later_record(engine: Engine) -> None:
    lines = line("till:1", "03-01 10:00"), line("app:7", "03-03 10:00", account_id="u1", external_order_id="1")
    links = receipt_links(decide(engine, *lines), headers_of(engine, *lines))
    found = rows_of(links, "account_id", "kind", "linked_on", "value_hash")
    assert [row[:3] for row in found] == [("ann", "receipt", date(2024, 3, 3)), ("u1", "receipt", date(2024, 3, 3))]
    assert len({row[3] for row in found}) == 1


def test_candidates_can_be_written_for_spark() -> None:
    headers = order_headers(ibis.table(table(line("till:1", "03-01 10:00")).schema(), name="lines"))
    named = ibis.table({**headers.schema(), "customer_id": "string"}, name="headers")
    assert "EXPLODE" in ibis.to_sql(twin_candidates(named, Orders()), dialect="pyspark")


ORDERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 160), st.sampled_from([None, None, 0, 1, 2])),
    min_size=1, max_size=14, unique_by=lambda order: order[:2],
)  # fmt: skip


def written(orders: list[tuple[str, int, int | None]]) -> list[Any]:
    """Orders around midnight, a quarter of an hour apart or less."""
    return [line(f"{source}:{minute}", f"03-0{1 + (minute + 1380) // 1440} {(minute + 1380) // 60 % 24:02d}:"
                 f"{minute % 60:02d}", external_order_id=None if number is None else str(number))
            for source, minute, number in orders]  # fmt: skip


def in_turn(candidates: Any) -> dict[str, str]:
    """The rule told plainly: record by record in time order."""
    turn = ["ordered_at", "source", "order_id"]
    pairs = candidates.to_pyarrow().to_pandas().sort_values(turn)
    source = dict(zip(pairs.order_id, pairs.source, strict=True)) | dict(
        zip(pairs.candidate_order_id, pairs.candidate_source, strict=True))  # fmt: skip
    root: dict[str, str] = {}
    for order_id, own in pairs.groupby("order_id", sort=False):
        strong = own[own.evidence == "order-number"]
        usable = strong if len(strong) else own
        roots = {root.get(other, other) for other in usable.candidate_order_id}
        free = [one for one in roots if all(source[member] != source[order_id]
                for member in [one, *(key for key, value in root.items() if value == one)])]  # fmt: skip
        if len(free) == 1:
            root[str(order_id)] = free[0]
    return root


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=ORDERS)
def test_rounds_give_what_deciding_one_record_after_the_other_gives(
    engine: Engine, orders: list[tuple[str, int, int | None]]
) -> None:
    headers = headers_of(engine, *written(orders))
    candidates = engine.keep("candidates", twin_candidates(headers, Orders()))
    decided = engine.keep("all_at_once", twins(engine, candidates))
    at_once = dict(rows_of(decided.filter(decided.kept_order_id.notnull()), "order_id", "kept_order_id"))
    assert at_once == in_turn(candidates)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=ORDERS)
def test_what_comes_later_changes_nothing_and_a_day_at_a_time_gives_the_same(
    engine: Engine, orders: list[tuple[str, int, int | None]]
) -> None:
    headers = headers_of(engine, *written(orders))
    every = ["order_id", "kept_order_id", "kept_source", "evidence", "seconds_apart", "explanation"]
    whole = engine.keep("whole", twins(engine, twin_candidates(headers, Orders())))
    early = headers.filter(headers.day < date(2024, 3, 2))
    first = engine.keep("first_day", twins(engine, twin_candidates(early, Orders())))
    assert rows_of(first, *every) == rows_of(whole.filter(whole.day < date(2024, 3, 2)), *every)
    then = twins(engine, twin_candidates(headers, Orders()), first, date(2024, 3, 2))
    assert rows_of(first.union(then), *every) == rows_of(whole, *every)
