"""Every day of every series, and what listings, shelf prices, calendars and stock say of it."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.demand import PanelSettings, load_panel
from features.demand_days import SCHEMA, demand_days
from features.errors import HistoryError
from features.fingerprint import fingerprint
from features.ingest import ingest
from features.tables import DEMAND_DAYS
from features.workspace import Snapshot, Workspace
from models.observed import observed_units
from tests.fixtures import tiny_shop
from training.recipe import load_recipe

EVERYTHING = PanelSettings(min_sale_days=1, active_days=730, ahead_days=4)
Row = dict[str, Any]


def day(number: int) -> date:
    return date(2024, 3, number)


def give(shop: Any, table: str, columns: str, *rows: str) -> None:
    """Give the shop another source, whose columns are called as in the table."""
    shop.write(f"{table}.csv", columns + "\n" + "".join(row + "\n" for row in rows))
    mapped = ", ".join(f"""{name} = '"{name}"'""" for name in columns.split(","))
    shop.extra += f'[sources.{table}]\ntable = "{table}"\npath = "{table}.csv"\ncolumns = {{ {mapped} }}\n'


def days_of(snapshot: Snapshot, as_of: date, product: str, location: str) -> list[Row]:
    rows: list[Row] = pa.concat_tables(demand_days(snapshot, as_of, location, product)).to_pylist()
    return rows


def series_of(panel: Any, product: str, location: str) -> int:
    return list(zip(panel.product_ids, panel.location_ids, strict=True)).index((product, location))


def test_a_series_has_a_row_for_every_day_from_its_first_sale_on(shop: Any) -> None:
    shop.add("5,o5,ann,milk,s1,2024-03-06 10:00:00,-1,-2.00")
    rows = days_of(shop.ingest(), day(6), "milk", "s1")
    assert [row["day"].day for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["sold_units"] for row in rows] == [2, 0, 3, 0, 0, 0]
    assert [row["returned_units"] for row in rows] == [0, 0, 0, 0, 0, 1]
    assert [row["price_origin"] for row in rows] == ["paid", "paid earlier", "paid", *["paid earlier"] * 3]
    assert {row["price"] for row in rows} == {2.0}
    assert {(row["ranged"], row["is_open"], row["suspected_stockout"]) for row in rows} == {(True, True, False)}
    unknown = ("available_share", "closing_units", "sold_out", "promotion")
    assert {row[name] for row in rows for name in unknown} == {None}


def test_the_columns_are_those_of_the_vocabulary(shop: Any) -> None:
    table = next(demand_days(shop.ingest(), day(3)))
    assert tuple(table.column_names) == DEMAND_DAYS.column_names == tuple(SCHEMA.names)


def test_all_that_was_handed_over_is_in_it_also_where_nothing_ever_sold(shop: Any) -> None:
    shop.add("5,o5,ann,bread,s2,2024-03-05 10:00:00,-1,-2.50")
    snapshot = shop.ingest()
    table = pa.concat_tables(demand_days(snapshot, day(6)))
    history = snapshot.read("demand_history")
    for name in ("sold_units", "returned_units", "gift_units"):
        assert pc.sum(table[name]) == pc.sum(history[name])
    (bread,) = days_of(snapshot, day(6), "bread", "s2")
    assert (bread["day"], bread["ranged"], bread["returned_units"]) == (day(5), False, 1)


def test_small_parts_give_the_same_rows_as_one(tmp_path: Path) -> None:
    snapshot = ingest(load_recipe(str(tiny_shop.write_exports(tmp_path))), Workspace(tmp_path / "workspace"))
    parts = list(demand_days(snapshot, date(2024, 4, 28), cells_at_a_time=1000))
    whole = list(demand_days(snapshot, date(2024, 4, 28)))
    assert len(parts) > 3
    assert len(whole) == 1
    assert pa.concat_tables(parts).equals(whole[0])
    order = [("location_id", "ascending"), ("product_id", "ascending"), ("day", "ascending")]
    assert whole[0].equals(whole[0].sort_by(order))


def test_a_day_sold_out_from_morning_to_night_has_a_row(shop: Any) -> None:
    give(shop, "stock", "product_id,location_id,day,available_share", "milk,s1,2024-03-01,0.5", "milk,s1,2024-03-02,0",
         "milk,s1,2024-03-03,1")  # fmt: skip
    rows = days_of(shop.ingest(), day(4), "milk", "s1")
    assert [row["sold_out"] for row in rows] == [True, True, False, None]
    assert [row["available_share"] for row in rows] == [0.5, 0, 1, None]


def test_two_empty_closings_leave_no_stock_in_between(shop: Any) -> None:
    give(shop, "stock", "product_id,location_id,day,closing_units", "milk,s1,2024-03-01,0", "milk,s1,2024-03-02,0",
         "milk,s1,2024-03-03,0", "milk,s1,2024-03-04,6", "milk,s1,2024-03-05,0")  # fmt: skip
    snapshot = shop.ingest()
    rows = days_of(snapshot, day(6), "milk", "s1")
    assert [row["sold_out"] for row in rows] == [True, True, True, False, True, None]
    assert [row["available_share"] for row in rows] == [None, 0, None, None, None, None]
    panel = load_panel(snapshot, day(6), EVERYTHING)
    assert np.isnan(observed_units(panel)[series_of(panel, "milk", "s1")]).tolist() == [False, True, *[False] * 4]


def test_a_listing_says_when_a_product_was_on_offer(shop: Any) -> None:
    give(shop, "listings", "product_id,location_id,starts_on,ends_on", "milk,s1,2024-03-01,2024-03-02",
         "milk,all,2024-02-01,", "tea,s2,2024-03-02,")  # fmt: skip
    snapshot = shop.ingest()
    milk = days_of(snapshot, day(5), "milk", "s1")
    assert [row["ranged"] for row in milk] == [True, True, True, False, False], "a sale on the third: it was on offer"
    assert [row["day"].day for row in days_of(snapshot, day(5), "milk", "s2")] == [1, 2, 3, 4, 5]
    tea = days_of(snapshot, day(3), "tea", "s2")
    assert [(row["day"].day, row["ranged"], row["sold_units"]) for row in tea] == [(2, True, 0), (3, True, 0)]
    panel = load_panel(snapshot, day(5), EVERYTHING)
    assert panel.ranged is not None
    s1, s2 = series_of(panel, "milk", "s1"), series_of(panel, "milk", "s2")
    assert panel.ranged[s1].tolist() == [True, True, True, False, False]
    assert np.isnan(observed_units(panel)[s1]).tolist() == [False, False, False, True, True]
    assert observed_units(panel)[s2].tolist() == [0, 1, 0, 0, 0], "listed before its first sale: a true zero"
    bread = series_of(panel, "bread", "s1")
    assert panel.ranged[bread].all(), "a product without a listing is on offer from its first sale on"


def test_a_listing_for_every_location_makes_a_series_at_each(shop: Any) -> None:
    give(shop, "listings", "product_id,location_id,starts_on", "tea,all,2024-03-02")
    table = pa.concat_tables(demand_days(shop.ingest(), day(2), product="tea"))
    assert table["location_id"].to_pylist() == ["s1", "s2"]


def test_a_shelf_price_holds_before_the_first_sale_and_from_the_day_it_changes(shop: Any) -> None:
    give(shop, "listings", "product_id,location_id,starts_on", "milk,s2,2024-03-01")
    columns = "product_id,location_id,starts_on,price"
    give(shop, "prices", columns, "milk,all,2024-01-01,2.20", "milk,s1,2024-03-04,2.40", "milk,all,2024-03-05,2.60")
    snapshot = shop.ingest()
    prices = [(row["price"], row["price_origin"]) for row in days_of(snapshot, day(5), "milk", "s2")]
    assert prices == [(2.2, "shelf"), (2, "paid"), (2, "paid earlier"), (2, "paid earlier"), (2.6, "shelf")]
    own = [row["price"] for row in days_of(snapshot, day(5), "milk", "s1")]
    assert own == [2, 2, 2, 2.4, 2.4], "the location's own price counts before that for all"
    panel = load_panel(snapshot, day(5), EVERYTHING)
    assert panel.price is not None
    assert np.allclose(panel.price[series_of(panel, "milk", "s2")], [2.2, 2, 2, 2, 2.6])


def test_a_calendar_of_a_region_counts_for_its_locations_and_one_of_a_location_before_it(shop: Any) -> None:
    give(shop, "locations", "location_id,region", "s1,north", "s2,north")
    give(shop, "calendar", "region,day,is_open,holiday", "north,2024-03-02,false,Harbour Day", "s2,2024-03-02,true,",
         "all,2024-03-03,false,", "north,2024-03-07,false,")  # fmt: skip
    snapshot = shop.ingest()
    for location, right in (("s1", [True, False, False, True]), ("s2", [True, False, True])):
        rows = days_of(snapshot, day(4), "milk", location)
        assert [row["is_open"] for row in rows] == (right if location == "s1" else [True, False, True])
    panel = load_panel(snapshot, day(4), EVERYTHING)
    s1, s2 = series_of(panel, "milk", "s1"), series_of(panel, "milk", "s2")
    assert np.isnan(observed_units(panel)[s1]).tolist() == [False, True, True, False]
    assert panel.is_open(day(5), 4)[[s1, s2]].tolist() == [[True, True, False, True]] * 2
    holidays = {facts.holidays[facts.holiday[1]] for rows, facts in panel.own_calendars() if rows[s1]}
    assert holidays == {"Harbour Day"}


def test_a_calendar_like_everybodys_is_no_calendar_of_its_own(shop: Any) -> None:
    give(shop, "locations", "location_id,region", "s1,north")
    give(shop, "calendar", "region,day,is_open", "north,2024-03-02,true")
    panel = load_panel(shop.ingest(), day(3), EVERYTHING)
    assert (panel.calendar, panel.own_facts) == (None, ())


def test_nothing_later_is_read(shop: Any) -> None:
    sources = {
        "stock": ("product_id,location_id,day,closing_units", ["milk,s1,2024-03-02,4"], ["milk,s1,2024-03-05,0"]),
        "listings": ("product_id,location_id,starts_on,ends_on", ["milk,s1,2024-03-01,{end}"], ["tea,all,2024-03-04,"]),
        "prices": ("product_id,location_id,starts_on,price", ["milk,s1,2024-03-01,2"], ["milk,s1,2024-03-04,9"]),
    }
    answers = []
    for later in (False, True):
        shop.extra = ""
        for table, (columns, rows, more) in sources.items():
            end = "2024-03-04" if later else ""
            give(shop, table, columns, *(row.format(end=end) for row in rows), *(more if later else ()))
        if later:
            shop.add("9,o9,ann,milk,s1,2024-03-04 10:00:00,50,500.00", "10,o10,ann,tea,s9,2024-03-05 10:00:00,1,1.00")
        snapshot = shop.ingest()
        panel = load_panel(snapshot, day(3), EVERYTHING)
        answers.append((pa.concat_tables(demand_days(snapshot, day(3))), panel, fingerprint(snapshot, day(3))))
    (one, first, print_one), (two, second, print_two) = answers
    assert one.equals(two)
    assert first.ranged is not None
    assert second.ranged is not None
    assert np.array_equal(first.ranged, second.ranged)
    assert np.array_equal(first.units, second.units, equal_nan=True)
    assert np.array_equal(np.nan_to_num(first.price), np.nan_to_num(second.price))
    assert print_one == print_two


def test_an_unknown_product_or_location_is_named(shop: Any) -> None:
    with pytest.raises(HistoryError, match=r"nothing of product 'tee' at location 's1' was .* up to 2024-03-03: check"):
        next(demand_days(shop.ingest(), day(3), "s1", "tee"))


def test_an_improbable_run_is_flagged_and_one_that_stock_explains_is_not(shop: Any) -> None:
    start = date(2024, 3, 4)
    shop.add(*(f"t{step},t{step},,tea,s1,{start + timedelta(days=step)} 10:00:00,{5 + step % 3},5.00"
               for step in range(40)), *(f"u{step},u{step},,milk,s2,{start + timedelta(days=step)} 9:00:00,1,1.00"
                                         for step in range(50)))  # fmt: skip
    as_of = start + timedelta(days=49)
    rows = days_of(shop.ingest(), as_of, "tea", "s1")
    assert [row["day"] for row in rows if row["suspected_stockout"]] == [row["day"] for row in rows[40:]]
    assert sum(row["missed_units"] for row in rows) == pytest.approx(10 * 6, rel=0.1)
    assert all(row["sold_units"] == 0 for row in rows[40:])
    known = [f"tea,s1,{row['day']},{share}" for row, share in zip(rows[40:], [1] * 5 + [0] * 5, strict=True)]
    give(shop, "stock", "product_id,location_id,day,available_share", *known)
    rows = days_of(shop.ingest(), as_of, "tea", "s1")
    assert not any(row["suspected_stockout"] for row in rows)
