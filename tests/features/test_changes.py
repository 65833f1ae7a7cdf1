"""What an ingest makes anew, what it counts, and what it must not overlook."""

from datetime import date, timedelta
from typing import Any

import pytest

from features.errors import SourceError
from features.partitions import Form, chunks

STOCK = "product,shop,day,units\nmilk,s1,2024-03-01,5\nmilk,s1,2024-03-01,7\nbread,s1,2024-03-02,1\n"


def test_days_far_apart_are_never_read_as_one_stretch() -> None:
    lines = {date(2024, 1, 1) + timedelta(days=step): 100 for step in range(366)}
    touched = {date(2024, 1, 10), date(2024, 11, 20)}
    groups = list(chunks(touched, lines, 1_000_000, Form(frozenset())))
    assert [(group[0], group[-1]) for group in groups] == [
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 11, 1), date(2024, 11, 30)),
    ]


def test_a_stretch_goes_on_over_days_without_lines() -> None:
    split = Form(frozenset({date(2024, 1, 1)}))
    lines = {date(2024, 1, 5): 100, date(2024, 1, 8): 100}
    (group,) = chunks(set(lines), lines, 1_000, split)
    assert group == [date(2024, 1, 5), date(2024, 1, 8)]


def test_rows_of_stock_given_twice_are_counted_as_duplicates_and_stay_so(shop: Any) -> None:
    shop.write("stock.csv", STOCK)
    columns = 'product_id = "product", location_id = "shop", day = "day", closing_units = "units"'
    shop.extra = f'[sources.shelf]\ntable = "stock"\npath = "stock.csv"\ncolumns = {{ {columns} }}'
    for _ in range(2):
        snapshot = shop.ingest()
        shelf = snapshot.facts["sources"]["shelf"]
        assert (shelf["read"], shelf["kept"], shelf["duplicates"]) == (3, 2, 1)
        assert snapshot.facts["rows"]["stock"] == len(snapshot.read("stock")) == 2
        shop.add("9,o9,ann,milk,s1,2024-05-04 10:00:00,1,1.00")  # another month: the stock's is only linked


def test_a_setting_that_changed_is_stored_though_no_file_did(shop: Any) -> None:
    before = shop.ingest()
    shop.retailer += "\n[forecast]\nhorizon_days = 9"
    after = shop.ingest()
    assert after.facts["recipe"]["forecast"]["horizon_days"] == 9
    assert after.version != before.version
    assert after.read("purchase_history").equals(before.read("purchase_history"))
    assert shop.ingest().version == after.version


def test_an_export_of_nothing_but_cancelled_orders_is_refused_with_the_reason(shop: Any) -> None:
    shop.columns["status"] = "'cancelled'"
    with pytest.raises(SourceError, match="every order line is cancelled"):
        shop.ingest()
