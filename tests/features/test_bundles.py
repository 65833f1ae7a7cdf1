"""A bundle leaves the shelf as its products, and its money is split to the cent."""

from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bundles import exploded
from features.errors import TableError
from tests.fixtures.hand_lines import line, rows_of, table

SCHEMA = {"bundle_product_id": "string", "product_id": "string", "units": "decimal(18, 4)", "amount_share": "float64"}


def bundles(*rows: tuple[str, str, float, float | None]) -> Any:
    listed = [dict(zip(SCHEMA, (*row[:2], Decimal(str(row[2])), row[3]), strict=True)) for row in rows]
    return ibis.memtable(pa.Table.from_pylist(listed, ibis.schema(SCHEMA).to_pyarrow()))


BREAKFAST = bundles(("breakfast", "milk", 1, 0.5), ("breakfast", "bread", 2, 0.25), ("breakfast", "tea", 1, 0.25))


def test_a_bundle_becomes_its_products_and_other_lines_stay() -> None:
    lines = table(
        line("till:1", "03-01 10:00", "breakfast", 3, 10.01, source_line_id="L1", discount_amount=Decimal("1.00")),
        line("till:1", "03-01 10:00", "milk", 1, 2, source_line_id="L2"),
    )
    found = rows_of(exploded(lines, BREAKFAST), "source_line_id", "product_id", "quantity", "net_amount",
                    "discount_amount")  # fmt: skip
    assert [(*row[:2], *map(float, row[2:])) for row in found] == [
        ("L1+bread", "bread", 6, 2.5, 0.25), ("L1+milk", "milk", 3, 5.01, 0.5), ("L1+tea", "tea", 3, 2.5, 0.25),
        ("L2", "milk", 1, 2, 0),
    ]  # fmt: skip


def test_a_bundle_that_comes_back_is_split_as_it_was_sold() -> None:
    sold = line("till:1", "03-01 10:00", "breakfast", 1, 9.99, source_line_id="L1")
    back = line("till:2", "03-09 10:00", "breakfast", -1, -9.99, source_line_id="L2", returns_line_id="L1")
    columns = ("product_id", "quantity", "net_amount")
    sales, returns = (rows_of(exploded(table(one), BREAKFAST), *columns) for one in (sold, back))
    assert [(product, -units, -paid) for product, units, paid in returns] == sales
    assert rows_of(exploded(table(back), BREAKFAST), "returns_line_id") == ["L1+bread", "L1+milk", "L1+tea"]


def test_without_shares_money_goes_by_units_and_an_unknown_price_stays_unknown() -> None:
    listed = bundles(("pair", "milk", 3, 0.9), ("pair", "tea", 1, None))
    found = rows_of(exploded(table(line("till:1", "03-01 10:00", "pair", 1, 8)), listed), "product_id", "net_amount")
    assert found == [("milk", 6), ("tea", 2)]
    unknown = table(line("till:1", "03-01 10:00", "pair", 1, None))
    assert rows_of(exploded(unknown, listed), "net_amount") == [None, None]


def test_a_bundle_in_a_bundle_is_opened_too() -> None:
    listed = bundles(("hamper", "pair", 2, None), ("hamper", "tea", 1, None), ("pair", "milk", 1, 0.5),
                     ("pair", "tea", 1, 0.5))  # fmt: skip
    found = rows_of(exploded(table(line("till:1", "03-01 10:00", "hamper", 1, 9)), listed), "product_id", "quantity",
                    "net_amount")  # fmt: skip
    assert found == [("milk", 2, 3), ("tea", 3, 6)]


@pytest.mark.parametrize("listed", [
    bundles(("a", "b", 1, None), ("b", "a", 1, None)),
    bundles(("a", "a", 1, None)),
    bundles(("a", "b", 1, None), ("b", "c", 1, None), ("c", "milk", 1, None)),
])  # fmt: skip
def test_a_bundle_of_itself_or_too_deep_is_refused(listed: Any) -> None:
    with pytest.raises(TableError, match=r"bundles hold bundles .*\(a.*\): list the products in them"):
        exploded(table(line("till:1", "03-01 10:00", "a")), listed)


AMOUNT = st.decimals(-10_000, 10_000, places=4)


@settings(max_examples=30, deadline=None)
@given(amount=AMOUNT, shares=st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_the_parts_add_up_to_the_line(amount: Decimal, shares: list[float]) -> None:
    listed = bundles(*(("set", f"p{number}", 1, share) for number, share in enumerate(shares)))
    sold = line("till:1", "03-01 10:00", "set", 1, float(amount), net_amount=amount)
    parts = rows_of(exploded(table(sold), listed), "net_amount")
    assert sum(parts) == amount
    assert all(part * 100 % 1 == 0 for part in parts) or amount * 100 % 1 != 0
