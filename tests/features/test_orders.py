"""One header per order and day; gifts; where and when a line is demand."""

from datetime import date, datetime
from decimal import Decimal
from hashlib import md5
from typing import Any

import ibis

from features.orders import demand_place, is_gift, order_headers
from features.tables import IBIS_TYPES, ORDER_TWINS, RETURNS
from tests.fixtures.hand_lines import line, rows_of, table


def header(*lines: Any) -> dict[str, Any]:
    (found,) = order_headers(table(*lines)).to_pyarrow().to_pylist()
    return dict(found)


def test_a_header_adds_up_the_sale_lines_of_an_order_and_day() -> None:
    found = header(
        line("till:1", "03-01 10:05", quantity=2, amount=4), line("till:1", "03-01 10:05", "bread", amount=2.5),
        line("till:1", "03-01 10:00", "milk", account_id=None, external_order_id="77"),
        line("till:1", "03-01 10:06", "tea", quantity=-1, amount=-3),
    )  # fmt: skip
    assert {name: found[name] for name in ("lines", "products", "units", "net_amount", "cancelled")} == {
        "lines": 3, "products": 2, "units": 4, "net_amount": Decimal("8.5"), "cancelled": False,
    }  # fmt: skip
    assert (found["account_id"], found["external_order_id"], found["order_number"]) == ("ann", "77", "1")
    assert found["ordered_at"] == datetime.fromisoformat("2024-03-01 10:00")


def test_an_order_over_midnight_has_a_header_per_day() -> None:
    lines = table(line("till:1", "03-01 23:59"), line("till:1", "03-02 00:01"))
    assert rows_of(order_headers(lines), "day") == [date(2024, 3, 1), date(2024, 3, 2)]


def test_a_basket_is_what_is_in_it_not_how_it_was_scanned() -> None:
    once = header(line("till:1", "03-01 10:00", quantity=2), line("till:1", "03-01 10:00", "bread"))
    twice = header(line("app:9", "03-01 11:00"), line("app:9", "03-01 11:00", "bread"), line("app:9", "03-01 11:00"))
    other = header(line("app:9", "03-01 11:00"), line("app:9", "03-01 11:00", "bread"))
    assert once["basket"] == twice["basket"] != other["basket"]
    assert once["basket"] == md5("bread×1.0000|milk×2.0000".encode()).hexdigest()


def test_cancelled_lines_count_only_where_the_whole_order_was_cancelled() -> None:
    bread = line("till:1", "03-01 10:00", "bread", status="cancelled")
    part, alone = header(line("till:1", "03-01 10:00"), bread), header(bread)
    assert (part["cancelled"], part["lines"], part["net_amount"]) == (False, 1, 2)
    assert part["basket"] == header(line("till:1", "03-01 10:00"))["basket"]
    assert (alone["cancelled"], alone["lines"], alone["net_amount"], alone["basket"]) == (True, 1, 2, None)


def test_one_unknown_price_makes_the_amount_unknown_but_a_gift_costs_nothing() -> None:
    milk = line("till:1", "03-01 10:00")
    assert header(milk, line("till:1", "03-01 10:00", "bread", amount=None))["net_amount"] is None
    assert header(milk, line("till:1", "03-01 10:00", "bread", amount=None, gift=True))["net_amount"] == 2


def test_gifts_are_what_is_marked_or_costs_nothing() -> None:
    lines = table(
        line("till:1", "03-01 10:00", "sold"), line("till:1", "03-01 10:00", "marked", gift=True),
        line("till:1", "03-01 10:00", "free", amount=0), line("till:1", "03-01 10:00", "unknown", amount=None),
        line("till:1", "03-01 10:00", "back", quantity=-1, amount=0),
        line("till:1", "03-01 10:00", "unsaid", gift=None),
    )  # fmt: skip
    found = rows_of(lines.mutate(gift_line=is_gift(lines)), "product_id", "gift_line")
    assert found == [("back", False), ("free", True), ("marked", True), ("sold", False), ("unknown", False),
                     ("unsaid", False)]  # fmt: skip


def test_a_group_buy_is_demand_of_the_shop_and_day_of_its_pickup() -> None:
    picked_up = datetime.fromisoformat("2024-03-04 17:00")  # the fifth of March in Shanghai
    bought = line("group:1", "03-02 02:00", location_id="all", fulfilled_at=picked_up, fulfilment_location_id="s7")
    at_once = line("till:1", "03-02 02:00", "bread")
    early = line("till:2", "03-02 02:00", "tea", fulfilled_at=datetime.fromisoformat("2024-03-01"))
    lines = ibis.duckdb.connect().create_table("lines", table(bought, at_once, early).to_pyarrow())
    columns = ("product_id", "demand_location_id", "demand_day")
    assert rows_of(demand_place(lines, "Asia/Shanghai"), *columns) == [
        ("bread", "s1", date(2024, 3, 2)), ("milk", "s7", date(2024, 3, 5)), ("tea", "s1", date(2024, 3, 2)),
    ]  # fmt: skip
    assert rows_of(demand_place(lines), *columns)[1] == ("milk", "s7", date(2024, 3, 2))


def test_headers_can_be_written_for_spark() -> None:
    lines = ibis.table(table(line("till:1", "03-01 10:00")).schema(), name="lines")
    assert "MD5(" in ibis.to_sql(order_headers(lines), dialect="pyspark")


def test_the_tables_have_the_types_that_the_vocabulary_gives() -> None:
    for described in (ORDER_TWINS, RETURNS):
        assert {IBIS_TYPES[column.kind] for column in described.columns} <= {
            "string", "date", "int64", "decimal(18, 4)",
        }  # fmt: skip
