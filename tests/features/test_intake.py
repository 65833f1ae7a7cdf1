"""Every row read is kept, quarantined with its reason, or a duplicate."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest


def counts(snapshot: Any, source: str = "till") -> tuple[int, int, int, int]:
    found = snapshot.facts["sources"][source]
    assert found["read"] == found["kept"] + found["quarantined"] + found["duplicates"]
    return found["read"], found["kept"], found["quarantined"], found["duplicates"]


def test_rows_that_are_fine_are_all_kept(shop: Any) -> None:
    assert counts(shop.ingest()) == (4, 4, 0, 0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,0,1.00", "quantity is zero"),
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,two,1.00", "quantity is not a number"),
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,-1.00", "net_amount is negative on a sale"),
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,-1,1.00", "net_amount is positive on a return"),
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,nothing", "net_amount is not a number"),
        ("9,o9,ann,milk,s1,1970-01-01 00:00:00,1,1.00", "ordered_at is before 1990-01-01"),
        ("9,o9,ann,milk,s1,2099-12-31 00:00:00,1,1.00", "ordered_at is in the future"),
        ("9,o9,ann,milk,s1,31.02.2024,1,1.00", "ordered_at is not a date and time"),
        ("9,o9,ann,milk,s1,,1,1.00", "ordered_at is missing"),
        ("9,o9,ann,,s1,2024-03-04 10:00:00,1,1.00", "product_id is missing"),
        ("9,o9,ann,  ,s1,2024-03-04 10:00:00,1,1.00", "product_id is blank"),
        ("9,,ann,milk,s1,2024-03-04 10:00:00,1,1.00", "order_id is missing"),
    ],
)
def test_a_row_that_cannot_be_used_goes_to_the_quarantine_with_its_reason(shop: Any, line: str, reason: str) -> None:
    shop.add(line)
    snapshot = shop.ingest(latest_day=date(2024, 12, 31))
    assert counts(snapshot) == (5, 4, 1, 0)
    assert snapshot.facts["sources"]["till"]["reasons"] == {reason: 1}
    ((written, original),) = shop.refused()
    assert written == reason
    assert list(json.loads(original)) == ["line", "order", "account", "product", "shop", "sold_at", "quantity", "paid"]
    assert json.loads(original)["quantity"] == line.split(",")[6]


def test_without_a_latest_day_a_far_date_is_believed(shop: Any) -> None:
    shop.add("9,o9,ann,milk,s1,2099-12-31 00:00:00,1,1.00")
    assert shop.ingest().last_day == date(2099, 12, 31)


def test_the_recipe_says_which_rows_do_not_belong(shop: Any) -> None:
    shop.add("9,o9,ann,POSTAGE,s1,2024-03-04 10:00:00,1,1.00")
    shop.extra = '[[sources.till.quarantine]]\nwhen = "product = \'POSTAGE\'"\nreason = "a fee"'
    snapshot = shop.ingest()
    assert snapshot.facts["sources"]["till"]["reasons"] == {"a fee": 1}


def test_a_cast_in_an_expression_that_fails_quarantines_its_row_only(shop: Any) -> None:
    shop.columns["net_amount"] = "CAST(quantity AS DECIMAL(18, 3)) * CAST(paid AS DECIMAL(18, 3))"
    shop.add("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,cheap")
    snapshot = shop.ingest()
    assert snapshot.facts["sources"]["till"]["reasons"] == {"net_amount is not a number": 1}


def test_a_line_number_given_twice_counts_once_and_the_earlier_stays(shop: Any) -> None:
    shop.add("3,o2,bob,milk,s2,2024-03-09 11:00:00,50,100.00")
    snapshot = shop.ingest()
    assert counts(snapshot) == (5, 4, 0, 1)
    bob = [row for row in snapshot.read("purchase_history").to_pylist() if row["account_id"] == "bob"]
    assert [(row["day"], int(row["net_units"])) for row in bob] == [(date(2024, 3, 2), 1)]


@pytest.mark.parametrize(("rule", "expected", "units"), [("keep", (5, 5, 0, 0), 2), ("duplicates", (5, 4, 0, 1), 1)])
def test_identical_lines_without_a_number_are_what_the_recipe_says(
    shop: Any, rule: str, expected: tuple[int, ...], units: int
) -> None:
    del shop.columns["source_line_id"]
    shop.source += f'\nidentical_lines = "{rule}"'
    shop.add("3,o2,bob,milk,s2,2024-03-02 11:00:00,1,2.00")
    snapshot = shop.ingest()
    assert counts(snapshot) == expected
    bob = [row for row in snapshot.read("purchase_history").to_pylist() if row["account_id"] == "bob"]
    assert [int(row["net_units"]) for row in bob] == [units]


def test_lines_that_differ_in_an_unmapped_column_are_not_identical(shop: Any) -> None:
    del shop.columns["source_line_id"]
    shop.source += '\nidentical_lines = "duplicates"'
    shop.add("33,o2,bob,milk,s2,2024-03-02 11:00:00,1,2.00")
    assert counts(shop.ingest()) == (5, 5, 0, 0)


def test_the_first_row_of_a_product_in_the_file_describes_it(shop: Any) -> None:
    shop.write("products.csv", "product,name\nmilk,Milk\nbread,\nmilk,zzz damaged\nbread,Bread\n")
    shop.extra = '[sources.products]\ntable = "catalog"\npath = "products.csv"\n' \
                 'columns = { product_id = "product", name = "name" }'  # fmt: skip
    snapshot = shop.ingest()
    assert counts(snapshot, "products") == (4, 2, 0, 2)
    names = {row["product_id"]: row["name"] for row in snapshot.read("catalog").to_pylist()}
    assert names == {"milk": "Milk", "bread": None}


def test_a_joined_file_gives_its_columns_and_its_first_match(shop: Any) -> None:
    shop.write("orders.csv", "number,way\no1,app\no1,pos\no2,mini_program\n")
    shop.columns["channel"] = "way"
    shop.extra = '[[sources.till.join]]\npath = "orders.csv"\non = { order = "number" }'
    history = shop.ingest().read("purchase_history").to_pylist()
    assert {row["order_id"]: row["channel"] for row in history} == {"o1": "app", "o2": "mini_program", "o3": "pos"}


def test_a_date_in_another_form_than_the_recipe_says_is_told_from_a_missing_one(shop: Any) -> None:
    shop.columns["ordered_at"] = "strptime(sold_at, '%Y-%m-%d %H:%M:%S')"
    shop.add("9,o9,ann,milk,s1,32.13.2023,1,1.00", "10,o9,ann,milk,s1,,1,1.00")
    shop.ingest()
    assert [reason for reason, _ in shop.refused()] == ["ordered_at is not a date and time", "ordered_at is missing"]


def test_an_account_of_blanks_is_an_anonymous_basket(shop: Any) -> None:
    shop.add("9,o9,   ,milk,s1,2024-03-04 10:00:00,1,1.00")
    assert {row["customer_id"] for row in shop.ingest().read("customers").to_pylist()} == {"ann", "bob"}


def test_a_joined_file_may_name_its_columns_in_another_case(shop: Any) -> None:
    shop.write("orders.csv", "ORDER,Paid,way\no1,0,app\no2,0,pos\n")
    shop.columns["channel"] = "way"
    shop.extra = '[[sources.till.join]]\npath = "orders.csv"\non = { order = "ORDER" }'
    history = shop.ingest().read("purchase_history").to_pylist()
    assert {row["order_id"]: row["channel"] for row in history} == {"o1": "app", "o2": "pos", "o3": "pos"}
    assert sum(row["net_amount"] for row in history) == Decimal("14.50")


def test_the_quarantine_has_a_form_for_spreadsheets(shop: Any) -> None:
    shop.add("9,o9,ann,milk,s1,2024-03-04 10:00:00,0,1.00")
    snapshot = shop.ingest()
    text = (shop.workspace.quarantine / snapshot.version / "till.csv").read_text("utf-8").splitlines()
    assert text[0] == "reason,file,row,original"
    assert text[1].startswith("quantity is zero,")
    assert "lines.csv,4," in text[1]
