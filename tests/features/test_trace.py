"""What became of an order is told from the files that it came in, however many portions they came in."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features.engine import engine_in
from features.errors import HistoryError
from features.trace import Trace, trace, way

HEAD = "line,order,account,product,shop,sold_at,quantity,paid,state,revised\n"
EXTRA = {"status": "state", "revised_at": "nullif(revised, '')"}


@pytest.fixture
def portions(shop: Any) -> Any:
    """A till whose exports come in portions: corrected, repeated, broken, cancelled and returned lines."""
    shop.source = 'path = "till-*.csv"'
    shop.columns |= EXTRA
    shop.write("till-1.csv", HEAD + "1,o1,ann,milk,s1,2024-03-01 10:00:00,2,4.00,completed,\n"
               "broken,o1\n"
               "2,o1,ann,bread,s1,2024-03-01 10:00:00,1,2.50,completed,\n"
               "3,o1,ann,tea,s1,2024-03-01 10:00:00,0,9.00,completed,\n"
               "4,o2,bob,milk,s2,2024-03-01 11:00:00,1,2.00,cancelled,\n")  # fmt: skip
    shop.ingest()
    shop.write("till-2.csv", HEAD + "1,o1,ann,milk,s1,2024-03-01 10:00:00,3,6.00,completed,2024-03-02\n"
               "2,o1,ann,bread,s1,2024-03-01 10:00:00,1,2.50,completed,\n")  # fmt: skip
    shop.ingest()
    shop.write("till-3.csv", HEAD + "9,r1,ann,milk,s1,2024-03-20 10:00:00,-1,-2.00,completed,\n")
    shop.ingest()
    return shop


@pytest.fixture
def follow(tmp_path: Path) -> Callable[[Any, str], list[Trace]]:
    def traced(shop: Any, order: str) -> list[Trace]:
        (tmp_path / "scratch").mkdir()
        with engine_in(tmp_path / "scratch") as engine:
            return trace(engine, shop.workspace, shop.workspace.snapshot(), order)

    return traced


def fates(found: Trace) -> list[tuple[str, int | None, str, str]]:
    return [(one.at.file, one.at.line, one.line_id, f"{one.fate} {one.by or one.because or ''}".strip())
            for one in found.versions]  # fmt: skip


def test_every_delivered_version_is_told_with_its_file_and_line(portions: Any, follow: Any) -> None:
    (found,) = follow(portions, "o1")
    assert sorted(fates(found), key=str) == [
        ("till-1.csv", 2, "1", "replaced till-2.csv line 2"),
        ("till-1.csv", 3, "", "quarantined has fewer fields than the header"),
        ("till-1.csv", 4, "2", "duplicate till-2.csv line 3"),
        ("till-1.csv", 5, "3", "quarantined quantity is zero"),
        ("till-2.csv", 2, "1", "kept"),
        ("till-2.csv", 3, "2", "kept"),
    ]


def test_what_was_made_of_it_is_told(portions: Any, follow: Any) -> None:
    (found,) = follow(portions, "o1")
    assert [(row["product_id"], row["net_units"], row["demand_day"]) for row in found.history] == [
        ("bread", Decimal(1), date(2024, 3, 1)), ("milk", Decimal(3), date(2024, 3, 1))
    ]  # fmt: skip
    assert {row["product_id"]: row["sold_units"] for row in found.demand} == {"bread": 1.0, "milk": 3.0}
    assert [(row["order_id"], row["sale_order_id"], row["matched_by"]) for row in found.returns] == [
        ("r1", "o1", "customer, product and price")
    ]
    assert [(one.account_id, one.customer_id, one.joins) for one in found.customers] == [("ann", "ann", ())]


def test_a_return_is_traced_to_its_sale_and_a_cancelled_order_is_no_purchase(portions: Any, follow: Any) -> None:
    (back,) = follow(portions, "r1")
    assert fates(back) == [("till-3.csv", 2, "9", "kept")]
    assert back.returns[0]["sale_order_id"] == "o1"
    (called_off,) = follow(portions, "o2")
    assert fates(called_off) == [("till-1.csv", 6, "4", "cancelled")]
    assert (called_off.history, called_off.demand) == ((), ())


def test_a_correction_that_names_another_order_is_found_from_both(portions: Any, follow: Any) -> None:
    portions.write("till-4.csv", HEAD + "9,r7,ann,milk,s1,2024-03-20 10:00:00,-1,-2.00,completed,2024-03-21\n")
    portions.ingest()
    told = [("till-3.csv", 2, "9", "replaced till-4.csv line 2"), ("till-4.csv", 2, "9", "kept")]
    assert fates(follow(portions, "r1")[0]) == fates(follow(portions, "r7")[0]) == told
    assert follow(portions, "r1")[0].history == ()


def test_lines_that_span_several_lines_of_a_file_have_a_row_only(shop: Any, follow: Any) -> None:
    shop.write("lines.csv", "line,order,account,product,shop,sold_at,quantity,paid\n"
               '1,o1,ann,"mi\nlk",s1,2024-03-01 10:00:00,2,4.00\n'
               "2,o2,ann,tea,s1,2024-03-01 10:00:00,2,4.00\n")  # fmt: skip
    shop.ingest()
    (found,) = follow(shop, "o2")
    assert str(found.versions[0].at) == "lines.csv row 1"


def test_a_number_that_nobody_has_is_answered_with_those_that_come_close(portions: Any, follow: Any) -> None:
    with pytest.raises(HistoryError, match=r"no file holds an order 'o11' \(sources till\): did you mean o1\?"):
        follow(portions, "o11")


@pytest.fixture
def twins(shop: Any) -> Any:
    """A till and an app that both export one order of ann's."""
    head = "line,order,account,product,shop,sold_at,quantity,paid\n"
    mapped = ", ".join(f"{name} = {text!r}" for name, text in (shop.columns | {"channel": "'app'"}).items())
    shop.extra = f'[sources.app]\ntable = "order_lines"\npath = "app.csv"\ncolumns = {{ {mapped} }}'
    shop.write("app.csv", head + "1,a1,ann,milk,s1,2024-03-01 10:04:00,2,4.00\n"
               "2,a1,ann,bread,s1,2024-03-01 10:04:00,1,2.50\n"
               "3,o1,cleo,tea,s2,2024-03-05 10:00:00,1,3.00\n")  # fmt: skip
    shop.ingest()
    return shop


def test_a_twin_is_told_with_the_order_that_stands_for_both(twins: Any, follow: Any) -> None:
    (found,) = follow(twins, "a1")
    assert (found.order_id, {one.fate for one in found.versions}) == ("app:a1", {"twin"})
    assert found.twin is not None
    assert found.twin["kept_order_id"] == "till:o1"
    assert found.twin["explanation"] == "same customer, shop s1, 2 products, 6.50, 4 minutes apart"
    assert {row["order_id"] for row in found.history} == {"till:o1"}
    (kept,) = follow(twins, "till:o1")
    assert [row["order_id"] for row in kept.stands_for] == ["app:a1"]


def test_a_number_that_two_sources_have_is_two_orders(twins: Any, follow: Any) -> None:
    assert [one.order_id for one in follow(twins, "o1")] == ["till:o1", "app:o1"]
    assert [one.order_id for one in follow(twins, "app:o1")] == ["app:o1"]


def test_the_joins_that_lead_to_the_customer_are_told(shop: Any, follow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a key for these tests only")
    shop.write("links.csv", "account,kind,value\nann,member_card,77\nbob,member_card,77\n")
    shop.extra = """[sources.links]
table = "identity_links"
path = "links.csv"
columns = { channel = "'pos'", channel_customer_id = "account", kind = "kind", value = "value" }"""
    shop.ingest()
    (found,) = follow(shop, "o2")
    (customer,) = found.customers
    assert (customer.account_id, customer.customer_id) == ("bob", "ann")
    assert [(join["kind"], join["via_account_id"]) for join in customer.joins] == [("member_card", "ann")]


def test_the_shortest_way_through_the_joins_is_taken() -> None:
    joins = [{"account_id": here, "via_account_id": there} for here, there in ("ba", "cb", "xa", "dx")]
    assert [(join["account_id"], join["via_account_id"]) for join in way(joins, "c", "a")] == [("c", "b"), ("b", "a")]
    assert way(joins, "c", "nobody") == []
