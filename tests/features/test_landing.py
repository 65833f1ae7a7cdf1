"""What is read again when something beside an export changes, and what is not."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features import landing
from features.errors import RecipeError, SourceError
from features.ingest import ingest
from features.ledger import Ledger
from features.workspace import Snapshot, Workspace
from tests.features.test_portions import differing
from training.recipe import load_recipe

HEADER = "line,order,account,product,shop,sold_at,quantity,paid"
RATES = '[sources.rates]\ntable = "exchange_rates"\npath = "rates.csv"\n' \
        'columns = { day = "day", currency = "currency", rate = "rate" }\n'  # fmt: skip
CASES = '[sources.cases]\ntable = "product_units"\npath = "cases.csv"\n' \
        'columns = { product_id = "product", unit = "unit", to_unit = "counted", times = "times" }\n'  # fmt: skip


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the export files that were read, in order."""
    names: list[str] = []
    real = landing.Landing._read

    def spied(self: Any, name: str, file: Path, *rest: Any) -> Any:
        names.append(file.name)
        return real(self, name, file, *rest)

    monkeypatch.setattr(landing.Landing, "_read", spied)
    return names


def at_once(shop: Any, latest_day: date | None = None) -> Snapshot:
    """The ingest of everything into a workspace of its own."""
    place = Workspace(shop.folder / f"at-once-{len(list(shop.folder.iterdir()))}")
    return ingest(load_recipe(str(shop.recipe)), place, latest_day=latest_day)


def landed(snapshot: Snapshot) -> list[str]:
    ledger = Ledger.open(snapshot)
    assert ledger is not None
    return [one.id for one in ledger.landed]


# -- rows whose day has not come


def late(shop: Any) -> None:
    """Three files: nothing late, one row of the 5th and one of the 9th, and a row without a product on the 5th."""
    shop.source = 'path = "*.csv"'
    shop.write(
        "b.csv",
        f"{HEADER}\n8,o8,ann,milk,s1,2024-03-03 10:00:00,1,1.00\n9,o9,ann,milk,s1,2024-03-05 10:00:00,1,1.00\n"
        "10,o10,bob,milk,s1,2024-03-09 10:00:00,1,1.00\n",
    )
    shop.write("c.csv", f"{HEADER}\n11,o11,ann,,s1,2024-03-05 10:00:00,1,1.00\n")


def test_a_row_counts_as_soon_as_its_day_has_come(shop: Any, read: list[str]) -> None:
    late(shop)
    for latest, rows, refused in ((3, 5, 3), (4, 5, 3), (5, 6, 2), (8, 6, 2), (9, 7, 1), (10, 7, 1)):
        snapshot = shop.ingest(latest_day=date(2024, 3, latest))
        assert len(snapshot.read("purchase_history")) == rows
        assert snapshot.facts["sources"]["till"]["quarantined"] == refused == len(shop.refused())
        assert differing(snapshot, at_once(shop, date(2024, 3, latest))) == []


def test_files_are_not_read_again_when_days_pass(shop: Any, read: list[str]) -> None:
    late(shop)
    first = shop.ingest(latest_day=date(2024, 3, 3))
    assert sorted(read) == ["b.csv", "c.csv", "lines.csv"]
    assert shop.ingest(latest_day=date(2024, 3, 4)).version == first.version
    second = shop.ingest(latest_day=date(2024, 3, 5))
    assert len(read) == 3  # the landed rows say it
    assert len(set(landed(first)) & set(landed(second))) == 2


def test_the_day_of_a_row_comes_though_its_file_is_gone(shop: Any) -> None:
    late(shop)
    shop.ingest(latest_day=date(2024, 3, 3))
    (shop.folder / "b.csv").unlink()
    assert len(shop.ingest(latest_day=date(2024, 3, 9)).read("purchase_history")) == 7


def test_an_earlier_latest_day_refuses_what_a_later_one_believed(shop: Any) -> None:
    late(shop)
    assert len(shop.ingest().read("purchase_history")) == 7
    again = shop.ingest(latest_day=date(2024, 3, 5))
    assert differing(again, at_once(shop, date(2024, 3, 5))) == []
    assert differing(shop.ingest(), at_once(shop)) == []


def test_a_rule_of_the_recipe_may_not_use_the_words_of_rows_whose_day_may_come(shop: Any) -> None:
    shop.extra = '[[sources.till.quarantine]]\nwhen = "product = \'bread\'"\nreason = "ordered_at is in the future"'
    with pytest.raises(RecipeError, match=r"sources.till.quarantine: .* is OneBasket's own reason .*: say it in other"):
        shop.ingest()


def test_the_stock_of_a_day_counts_once_it_has_come(shop: Any) -> None:
    shop.write("stock.csv", "product,shop,day,units\nmilk,s1,2024-03-01,5\nmilk,s1,2024-03-08,7\n")
    columns = 'product_id = "product", location_id = "shop", day = "day", closing_units = "units"'
    shop.extra = f'[sources.shelf]\ntable = "stock"\npath = "stock.csv"\ncolumns = {{ {columns} }}'
    assert len(shop.ingest(latest_day=date(2024, 3, 7)).read("stock")) == 1
    after = shop.ingest(latest_day=date(2024, 3, 8))
    assert len(after.read("stock")) == 2
    assert differing(after, at_once(shop, date(2024, 3, 8))) == []


# -- rates and product units


def daily(shop: Any, own: str = "EUR") -> None:
    """Three daily files, of which the first and the last hold dollars, and pounds on the last."""
    shop.retailer = f'name = "corner"\ncurrency = "{own}"'
    shop.columns["currency"] = "currency"
    header = f"{HEADER},currency\n"
    shop.write("lines.csv", header + "1,o1,ann,milk,s1,2024-03-01 10:00:00,2,4.00,EUR\n"
                                     "2,o1,ann,bread,s1,2024-03-01 10:00:00,1,2.00,usd\n")  # fmt: skip
    shop.write("lines-2.csv", header + "3,o2,bob,milk,s2,2024-03-02 11:00:00,1,2.00,EUR\n")
    shop.write("lines-3.csv", header + "4,o3,bob,milk,s2,2024-03-03 11:00:00,1,2.00,USD\n"
                                       "5,o3,bob,bread,s2,2024-03-03 11:00:00,1,1.00,GBP\n")  # fmt: skip
    shop.source = 'path = "lines*.csv"'
    shop.extra = RATES


def rates(shop: Any, *rows: str) -> None:
    shop.write("rates.csv", "day,currency,rate\n" + "".join(row + "\n" for row in rows))


def history(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The lines by order, milk before bread."""
    rows = sorted(snapshot.read("purchase_history").to_pylist(), key=lambda row: str(row["product_id"]), reverse=True)
    return sorted(rows, key=lambda row: str(row["order_id"]))


def paid(snapshot: Snapshot) -> list[float]:
    return [float(row["net_amount"]) for row in history(snapshot)]


def test_a_rate_table_that_grows_rereads_only_files_that_find_something_else(shop: Any, read: list[str]) -> None:
    daily(shop)
    known = ["2024-03-01,USD,0.5", "2024-03-03,GBP,2"]
    for more, again, amounts in (
        ([], {"lines.csv", "lines-2.csv", "lines-3.csv"}, [4, 1, 2, 1, 2]),
        (["2024-03-02,USD,0.6"], {"lines-3.csv"}, [4, 1, 2, 1.2, 2]),  # held on until the 3rd
        (["2024-03-03,USD,0.6"], set(), [4, 1, 2, 1.2, 2]),  # known exactly, and the same
        (["2024-03-04,USD,0.7", "2024-03-04,GBP,3", "2024-03-01,JPY,9"], set(), [4, 1, 2, 1.2, 2]),
        (["2024-02-01,USD,0.9"], set(), [4, 1, 2, 1.2, 2]),
        (["2024-03-02,GBP,7"], set(), [4, 1, 2, 1.2, 2]),
    ):
        read.clear()
        rates(shop, *(known := [*known, *more]))
        snapshot = shop.ingest()
        assert set(read) - {"rates.csv"} == again
        assert paid(snapshot) == amounts
        assert differing(snapshot, at_once(shop)) == []


def test_a_rate_that_was_held_on_and_is_now_known_counts(shop: Any, read: list[str]) -> None:
    daily(shop)
    rates(shop, "2024-03-01,USD,0.5", "2024-03-01,GBP,2")
    shop.ingest()
    read.clear()
    rates(shop, "2024-03-01,USD,0.5", "2024-03-01,GBP,2", "2024-03-03,USD,0.8")
    assert paid(shop.ingest()) == [4, 1, 2, 1.6, 2]
    assert sorted(read) == ["lines-3.csv", "rates.csv"]


def test_a_line_without_a_rate_counts_once_there_is_one(shop: Any, read: list[str]) -> None:
    daily(shop)
    rates(shop, "2024-03-01,USD,0.5")
    assert paid(shop.ingest()) == [4, 1, 2, 1]
    read.clear()
    rates(shop, "2024-03-01,USD,0.5", "2024-03-03,GBP,2")
    after = shop.ingest()
    assert paid(after) == [4, 1, 2, 1, 2]
    assert sorted(read) == ["lines-3.csv", "rates.csv"]
    assert differing(after, at_once(shop)) == []


def test_rates_may_change_when_old_exports_are_gone(shop: Any) -> None:
    daily(shop)
    rates(shop, "2024-03-01,USD,0.5", "2024-03-03,GBP,2")
    shop.ingest()
    (shop.folder / "lines-3.csv").unlink()
    rates(shop, "2024-03-01,USD,0.5", "2024-03-03,GBP,4", "2024-03-04,GBP,3")
    assert paid(shop.ingest()) == [4, 1, 2, 1, 2]  # as it was landed


def test_a_source_of_rates_that_comes_later_rereads_files_with_foreign_amounts(shop: Any, read: list[str]) -> None:
    daily(shop)
    rates(shop, "2024-03-01,USD,0.5", "2024-03-03,GBP,2")
    shop.extra = ""
    assert paid(shop.ingest()) == [4, 2]
    read.clear()
    shop.extra = RATES
    after = shop.ingest()
    assert sorted(read) == ["lines-3.csv", "lines.csv", "rates.csv"]
    assert differing(after, at_once(shop)) == []


def test_product_units_reread_only_files_that_name_the_product_in_that_unit(shop: Any, read: list[str]) -> None:
    shop.columns["unit"] = "unit"
    header = f"{HEADER},unit\n"
    shop.write("lines.csv", header + "1,o1,ann,milk,s1,2024-03-01 10:00:00,2,4.00,case\n")
    shop.write("lines-2.csv", header + "2,o2,bob,milk,s2,2024-03-02 11:00:00,1,2.00,each\n")
    shop.write("lines-3.csv", header + "3,o3,bob,bread,s2,2024-03-03 11:00:00,1,2.00,case\n")
    shop.source = 'path = "lines*.csv"'
    shop.extra = CASES
    known = "product,unit,counted,times\nmilk,case,each,12\n"
    for more, again, quantities in (
        ("", {"lines.csv", "lines-2.csv", "lines-3.csv"}, [24, 1, 1]),
        ("bread,case,each,6\n", {"lines-3.csv"}, [24, 1, 6]),
        ("bread,pallet,each,600\neggs,case,each,10\n", set(), [24, 1, 6]),
    ):
        read.clear()
        shop.write("cases.csv", known := known + more)
        snapshot = shop.ingest()
        assert set(read) - {"cases.csv"} == again
        assert [row["net_units"] for row in history(snapshot)] == quantities
        assert differing(snapshot, at_once(shop)) == []


def test_sources_that_ask_no_table_are_never_touched(shop: Any, read: list[str]) -> None:
    shop.extra = RATES
    rates(shop, "2024-03-01,USD,0.5")
    before = shop.ingest()
    read.clear()
    rates(shop, "2024-03-01,USD,0.7")
    after = shop.ingest()
    assert read == ["rates.csv"]
    assert len(set(landed(before)) & set(landed(after))) == 1


# -- joined files


def headers(shop: Any) -> None:
    """Lines by day, whose time stands in order headers by day."""
    lines = "line,order,account,product,shop,quantity,paid\n"
    shop.write("lines.csv", lines + "1,o1,ann,milk,s1,2,4.00\n2,o1,ann,bread,s1,1,2.50\n")
    shop.write("lines-2.csv", lines + "3,o2,bob,milk,s2,1,2.00\n")
    shop.write("orders-1.csv", "number,sold_at\no1,2024-03-01 10:00:00\n")
    shop.write("orders-2.csv", "number,sold_at\no2,2024-03-02 10:00:00\n")
    shop.source = 'path = "lines*.csv"'
    shop.extra = '[[sources.till.join]]\npath = "orders-*.csv"\non = { order = "number" }'


def test_lines_whose_headers_are_gone_stay_as_they_were_landed(shop: Any, read: list[str]) -> None:
    headers(shop)
    before = shop.ingest()
    assert len(before.read("purchase_history")) == 3
    (shop.folder / "orders-1.csv").unlink()
    assert shop.ingest().version == before.version
    shop.write("orders-3.csv", "number,sold_at\no3,2024-03-03 10:00:00\n")
    shop.write("lines-3.csv", "line,order,account,product,shop,quantity,paid\n4,o3,bob,milk,s2,1,2.00\n")
    (shop.folder / "lines.csv").touch()  # another time, the same content
    read.clear()
    assert len(shop.ingest().read("purchase_history")) == 4
    assert read == ["lines-3.csv"]


def test_lines_stay_when_every_header_is_gone_and_new_ones_are_refused(shop: Any) -> None:
    headers(shop)
    before = shop.ingest()
    for file in shop.folder.glob("orders-*.csv"):
        file.unlink()
    assert shop.ingest().version == before.version
    shop.write("lines-3.csv", "line,order,account,product,shop,quantity,paid\n4,o3,bob,milk,s2,1,2.00\n")
    with pytest.raises(SourceError, match=r"sources.till: there is no file .*orders-\*.csv"):
        shop.ingest()
    assert shop.workspace.snapshot().version == before.version


def test_a_header_that_a_joined_file_no_longer_holds_is_missed(shop: Any) -> None:
    headers(shop)
    shop.ingest()
    shop.write("orders-1.csv", "number,sold_at\no9,2024-03-01 10:00:00\n")
    after = shop.ingest()
    assert len(after.read("purchase_history")) == 1
    assert differing(after, at_once(shop)) == []


def test_a_file_that_needs_a_header_that_is_gone_is_not_read_again(shop: Any) -> None:
    headers(shop)
    shop.write("lines.csv", "line,order,account,product,shop,quantity,paid\n1,o1,ann,milk,s1,2,4.00\n"
                            "2,o2,ann,bread,s1,1,2.50\n")  # fmt: skip
    before = shop.ingest()
    (shop.folder / "orders-1.csv").unlink()
    shop.write("orders-2.csv", "number,sold_at\no2,2024-03-04 10:00:00\n")
    with pytest.raises(SourceError, match=r"sources.till: lines.csv finds other rows .* orders-1.csv, .*: put it back"):
        shop.ingest()
    assert shop.workspace.snapshot().version == before.version


def test_another_mapping_asks_for_the_joined_files_that_are_gone(shop: Any) -> None:
    headers(shop)
    shop.ingest()
    (shop.folder / "orders-1.csv").unlink()
    shop.columns["net_amount"] = "paid::DECIMAL(18, 2) * 2"
    with pytest.raises(SourceError, match=r"the joined file orders-1.csv, .* no longer there: put it back"):
        shop.ingest()


def test_headers_that_move_to_another_file_count(shop: Any, read: list[str]) -> None:
    headers(shop)
    before = shop.ingest()
    read.clear()
    (shop.folder / "orders-1.csv").rename(shop.folder / "orders-all.csv")
    assert shop.ingest().version == before.version
    assert read == []
