"""The figures of a snapshot's quality, on retailers whose faults are known by construction."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.engine import engine_in
from features.landing import Landed
from features.ledger import Ledger
from features.quality import Report, checks, quality
from features.quality_people import LEFT
from features.quality_sources import lateness
from features.quality_stockouts import stockouts
from features.quality_volume import daily_volume, stray_days
from features.sources import Quality

HEAD = "line,order,account,product,shop,sold_at,quantity,paid\n"
START = date(2024, 1, 1)
GAP = range(40, 46)  # days on which s1 sells nothing


def till(days: int) -> Iterator[str]:
    """Two shops that sell every day: milk for 2.00 a litre, but once for 200.00 and once a thousand litres."""
    for offset in range(days):
        day = START + timedelta(days=offset)
        for shop in ("s1", "s2"):
            if shop == "s1" and offset in GAP:
                continue
            paid, quantity = (200, 1) if (shop, offset) == ("s2", 20) else (2, 1)
            if (shop, offset) == ("s2", 30):
                paid, quantity = 2000, 1000
            yield f"{shop}{offset},{shop}-{offset},ann,milk,{shop},{day} 10:00:00,{quantity},{paid}\n"
            yield f"b{shop}{offset},{shop}-{offset},ann,bread,{shop},{day} 10:00:00,2,5\n"
    yield f"r1,back,ann,milk,s2,{START + timedelta(days=50)} 12:00:00,-1,-2\n"
    yield f"r2,back,ann,tea,s2,{START + timedelta(days=50)} 12:00:00,-3,-9\n"
    yield "bad1,o9,13812345678,milk,s1,2024-01-05 10:00:00,many,1\nbad2,o9,ann,milk,s1,2024-01-05 10:00:00,0,1\n"


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Report]:
    def measured(shop: Any, settings: Quality | None = None, as_of: date | None = None) -> Report:
        (tmp_path / "scratch").mkdir()
        with engine_in(tmp_path / "scratch") as engine:
            return quality(engine, shop.workspace, shop.workspace.snapshot(), settings or Quality(), as_of)

    return measured


@pytest.fixture
def faulty(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a key for these tests only")
    shop.retailer += '\ncountry = "CN"'
    shop.write("lines.csv", HEAD + "".join(till(60)))
    shop.ingest()
    return shop


def test_suspected_stockouts_are_counted_by_location(faulty: Any, tmp_path: Path) -> None:
    def days(snapshot: Any, as_of: date, location: str) -> Iterator[pa.Table]:
        yield pa.table({
            "location_id": [location] * 3, "product_id": ["milk"] * 3, "day": [as_of] * 3, "ranged": [True] * 3,
            "is_open": [True, True, False], "suspected_stockout": [True, None, False], "missed_units": [2.5, 0.0, 0.0],
        })  # fmt: skip

    snapshot = faulty.workspace.snapshot()
    (tmp_path / "scratch").mkdir()
    with engine_in(tmp_path / "scratch") as engine:
        daily_volume(engine, snapshot, Ledger.open(snapshot) or Ledger(""))
        found = stockouts(engine, snapshot, days)
    assert (found["product_days"], found["suspected"], found["locations"]) == (4, 2, 2)
    assert found["products"][0] == {"location_id": "s1", "product_id": "milk", "days": 1, "missed_units": 2.5}


def check(report: Report, setting: str) -> Any:
    return next(one for one in report.checks if one.setting == setting)


def test_volume_adds_up_to_the_history(faulty: Any, measure: Any) -> None:
    (pos,) = measure(faulty).figures["volume"]["channels"]
    history = faulty.workspace.snapshot().read("purchase_history").to_pylist()
    sold = [row for row in history if row["net_units"] > 0]
    assert (pos["lines"], pos["units"]) == (len(history), float(sum(row["net_units"] for row in sold)))
    assert pos["amount"] == float(sum(row["net_amount"] for row in sold))
    assert pos["orders"] == len({row["order_id"] for row in history})
    assert (pos["returned_units"], pos["returned_amount"]) == (4.0, 11.0)


def test_the_gap_of_a_shop_that_sells_every_day_is_found(faulty: Any, measure: Any) -> None:
    found = measure(faulty)
    (gap,) = found.figures["gaps"]["gaps"]
    assert gap == {
        "location_id": "s1",
        "channel": "pos",
        "first_day": "2024-02-10",
        "last_day": "2024-02-15",
        "days": 6,
    }
    assert check(found, "most_gap_days").broken
    assert check(found, "most_gap_days").where == "s1 pos from 2024-02-10"
    assert not check(measure_again(measure, faulty, most_gap_days=6), "most_gap_days").broken


def measure_again(measure: Any, shop: Any, **settings: Any) -> Report:
    (shop.folder / "scratch").rmdir() if (shop.folder / "scratch").exists() else None
    report: Report = measure(shop, Quality(**settings))
    return report


def test_prices_and_quantities_far_from_usual_are_named(faulty: Any, measure: Any) -> None:
    found = measure(faulty).figures["outliers"]
    (price,) = found["price"]["examples"]
    assert (price["order_id"], price["value"], price["usual"]) == ("s2-20", 200.0, pytest.approx(2.0))
    (quantity,) = found["quantity"]["examples"]
    assert (quantity["order_id"], quantity["value"]) == ("s2-30", 1000.0)
    assert (found["price"]["lines"], found["quantity"]["lines"], found["lines"]) == (1, 1, 228)


def test_reasons_come_with_what_they_are_about_and_nothing_personal(faulty: Any, measure: Any) -> None:
    (till,) = measure(faulty).figures["sources"]
    assert (till["read"], till["kept"], till["quarantined"]) == (232, 230, 2)
    examples = {reason["reason"]: reason["examples"] for reason in till["reasons"]}
    assert examples["quantity is not a number"][0]["values"] == {"quantity": "many"}
    assert "13812345678" not in str(till)
    assert "ann" not in str(examples)


def test_returns_are_counted_by_how_they_were_laid(faulty: Any, measure: Any) -> None:
    found = measure(faulty).figures["returns"]
    assert (found["units"], found["matched_units"], found["matched_share"]) == (4.0, 1.0, 0.25)
    assert {row["matched_by"]: row["units"] for row in found["levels"]} == {
        "unmatched": 3.0, "customer, product and price": 1.0
    }  # fmt: skip


def test_sources_are_as_fresh_as_the_day_that_is_asked_for(faulty: Any, measure: Any) -> None:
    found = measure(faulty, as_of=date(2024, 3, 5))
    assert found.figures["sources"][0]["days_behind"] == 5
    assert check(found, "most_days_behind").broken


def test_sections_without_anything_to_show_say_why(faulty: Any, measure: Any) -> None:
    found = measure(faulty)
    assert set(found.missing) == {"twins", "sold_out"}
    assert not set(found.missing) & set(found.figures)
    assert check(found, "most_sold_out_share").measured is None
    assert not check(found, "most_sold_out_share").broken


def test_stock_tells_how_often_products_are_sold_out(shop: Any, measure: Any) -> None:
    shop.write("stock.csv", "product,shop,day,units,share\nmilk,s1,2024-03-01,0,0.5\nmilk,s1,2024-03-02,4,1\n"
               "milk,s1,2024-03-03,0,\nmilk,s2,2024-03-03,,\n")  # fmt: skip
    shop.extra = """[sources.shelf]
table = "stock"
path = "stock.csv"
[sources.shelf.columns]
product_id = "product"
location_id = "shop"
day = "day"
closing_units = "units"
available_share = "share"
"""
    shop.ingest()
    found = measure(shop).figures["sold_out"]
    assert (found["product_days"], found["sold_out"]) == (3, 2)


def test_what_twins_and_channels_have_in_common_is_counted(shop: Any, measure: Any) -> None:
    mapped = ", ".join(f"{name} = {text!r}" for name, text in (shop.columns | {"channel": "'app'"}).items())
    shop.extra = f'[sources.app]\ntable = "order_lines"\npath = "app.csv"\ncolumns = {{ {mapped} }}'
    shop.write("app.csv", HEAD + "1,a1,ann,milk,s1,2024-03-01 10:04:00,2,4.00\n"
               "2,a1,ann,bread,s1,2024-03-01 10:04:00,1,2.50\n"
               "3,a2,ann,tea,s1,2024-03-02 10:04:00,1,2.50\n")  # fmt: skip
    shop.ingest()
    found = measure(shop).figures
    assert found["twins"]["pairs"] == [
        {"source": "app", "kept_source": "till", "evidence": "basket", "orders": 1, "median_seconds_apart": 240}
    ]
    assert found["overlaps"]["in_several_channels"] == 1
    assert found["overlaps"]["sets"] == [
        {"channels": ["app", "pos"], "customers": 1}, {"channels": ["pos"], "customers": 1}
    ]  # fmt: skip


def test_the_words_of_orders_left_are_those_that_twins_say() -> None:
    said = (Path(__file__).parents[2] / "features" / "twin_words.py").read_text("utf-8")
    for pattern, _ in LEFT:
        assert pattern.strip("% ").split(" %")[0].rstrip(", ") in said.replace('"\n        + "', ""), pattern


def landed(days: dict[str, int]) -> Landed:
    return Landed(source="till", name="x.csv", content="c", mapping="m", joined="", mark="", rows=sum(days.values()),
                  reasons={}, days=days, numbered=False)  # fmt: skip


def test_lines_of_earlier_days_in_a_days_export_are_late_and_in_a_years_export_not() -> None:
    a_day = landed({"2024-03-01": 2, "2024-03-09": 1, "2024-03-10": 97})
    found = lateness(Ledger("", [a_day]), ["till"])
    assert (found["late"], found["share"]) == (3, 0.03)
    assert found["late_by_lag"] == [{"lag": "1 day", "lines": 1}, {"lag": "8 to 30 days", "lines": 2}]
    year = {str(START + timedelta(days=offset)): 10 for offset in range(366)}
    assert lateness(Ledger("", [landed(year)]), ["till"])["late"] == 0


def test_days_far_from_all_others_are_stray() -> None:
    lines = {START + timedelta(days=offset): 100 for offset in range(30)}
    assert stray_days(lines) == []
    assert stray_days(lines | {date(1999, 12, 31): 3}) == [{"day": "1999-12-31", "lines": 3}]


def test_every_threshold_has_a_check() -> None:
    settings = {check.setting for check in checks({"sources": []}, Quality())}
    assert settings == set(Quality.model_fields) - {"outlier_distance"}
