"""A panel holds what was known at the end of its day."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.demand import PanelSettings, load_panel
from features.errors import HistoryError
from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from tests.fixtures import tiny_models, tiny_shop
from training.recipe import load_recipe

LAST = date(2024, 5, 19)
EVERYTHING = PanelSettings(min_sale_days=1, active_days=730)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder: Path = tmp_path_factory.mktemp("shop")
    return ingest(load_recipe(str(tiny_shop.write_exports(folder))), Workspace(folder / "workspace"))


def test_the_panel_is_what_the_exports_say(tiny: Snapshot) -> None:
    panel, right = load_panel(tiny, LAST, EVERYTHING), tiny_models.panel()
    assert (panel.product_ids, panel.location_ids) == (right.product_ids, right.location_ids)
    assert np.array_equal(panel.units, right.units, equal_nan=True)
    assert np.array_equal(panel.planned["promotion"], right.planned["promotion"])
    assert (panel.planned["display"] == -1).all()
    assert panel.units.dtype == np.float32
    assert panel.facts.first_day == panel.first_day == tiny_shop.START
    assert panel.facts.holidays[panel.facts.holiday[0]] == "New Year's Day"


def test_a_short_window_keeps_the_later_days_of_older_series(tiny: Snapshot) -> None:
    whole = load_panel(tiny, LAST, EVERYTHING)
    short = load_panel(tiny, LAST, PanelSettings(history_days=10, min_sale_days=1, active_days=10))
    rows = [list(zip(whole.product_ids, whole.location_ids, strict=True)).index(pair)
            for pair in zip(short.product_ids, short.location_ids, strict=True)]  # fmt: skip
    assert short.days == 10
    assert whole.price is not None
    assert short.price is not None
    assert np.array_equal(short.units, whole.units[rows, -10:], equal_nan=True)
    assert np.array_equal(short.price, whole.price[rows, -10:], equal_nan=True)


def test_a_series_that_sold_on_few_days_or_long_ago_is_left_out(shop: Any) -> None:
    for number, day in enumerate((5, 6, 7, 20), 10):
        shop.add(f"{number},o{number},ann,tea,s1,2024-03-{day:02d} 10:00:00,1,1.00")
    snapshot = shop.ingest()
    names = load_panel(snapshot, date(2024, 3, 20), PanelSettings(min_sale_days=2, active_days=30)).product_ids
    assert names == ["milk", "tea"]
    names = load_panel(snapshot, date(2024, 3, 20), PanelSettings(min_sale_days=2, active_days=10)).product_ids
    assert names == ["tea"]
    with pytest.raises(HistoryError, match=r"no product sold on 5 days or more.*lower forecast\.min_sale_days"):
        load_panel(snapshot, date(2024, 3, 20), PanelSettings(min_sale_days=5))


def plans(shop: Any, *rows: str) -> Snapshot:
    shop.write("plans.csv", "product,shop,first,last,known\n" + "".join(row + "\n" for row in rows))
    shop.extra = '[sources.leaflet]\ntable = "plans"\npath = "plans.csv"\ncolumns = { product_id = "product", ' \
                 'location_id = "shop", starts_on = \'"first"\', ends_on = \'"last"\', known_on = "known", ' \
                 'promotion = "\'leaflet\'" }'  # fmt: skip
    snapshot: Snapshot = shop.ingest()
    return snapshot


def test_a_plan_counts_from_the_day_it_is_known(shop: Any) -> None:
    snapshot = plans(shop, "milk,s1,2024-03-02,2024-03-05,2024-03-03", "milk,s1,2024-03-05,2024-03-06,2024-03-01",
                     "milk,s1,2024-03-01,2024-03-01,2024-03-04")  # fmt: skip
    settings = PanelSettings(min_sale_days=1, ahead_days=4)
    panel = load_panel(snapshot, date(2024, 3, 3), settings)
    row = list(zip(panel.product_ids, panel.location_ids, strict=True)).index(("milk", "s1"))
    assert panel.planned["promotion"][row].tolist() == [-1, -1, 0, 1, 4, 5, -1]
    early = load_panel(snapshot, date(2024, 3, 2), settings)
    assert early.planned["promotion"][row].tolist() == [-1, -1, -1, -1, 4, 5]
    promoted = {row["day"]: row["promotion"] for row in snapshot.read("demand_history").to_pylist()
                if (row["product_id"], row["location_id"]) == ("milk", "s1")}  # fmt: skip
    assert promoted == {date(2024, 3, 1): False, date(2024, 3, 3): True}


def test_a_plan_without_a_location_holds_at_every_one(shop: Any) -> None:
    snapshot = plans(shop, "milk,all,2024-03-01,2024-03-04,2024-03-01")
    panel = load_panel(snapshot, date(2024, 3, 3), PanelSettings(min_sale_days=1, ahead_days=2))
    found = dict(zip(zip(panel.product_ids, panel.location_ids, strict=True), panel.planned["promotion"].tolist(),
                     strict=True))  # fmt: skip
    assert found == {("bread", "s1"): [-1] * 5, ("milk", "s1"): [0, 1, 2, 3, -1], ("milk", "s2"): [0, 1, 2, 3, -1]}
    promoted = [(row["product_id"], row["promotion"]) for row in snapshot.read("demand_history").to_pylist()]
    assert sorted(promoted) == [("bread", False), ("milk", True), ("milk", True), ("milk", True)]


def test_stock_tells_what_was_available(shop: Any) -> None:
    shop.write(
        "stock.csv", "product,shop,day,share\nmilk,s1,2024-03-01,0.5\nmilk,s1,2024-03-02,0\nmilk,s1,2024-03-09,1\n"
    )
    shop.extra = '[sources.stock]\ntable = "stock"\npath = "stock.csv"\ncolumns = { product_id = "product", ' \
                 'location_id = "shop", day = "day", available_share = "share" }'  # fmt: skip
    panel = load_panel(shop.ingest(), date(2024, 3, 3), PanelSettings(min_sale_days=2))
    assert panel.available is not None
    assert panel.available.tolist()[0][:2] == [0.5, 0.0]
    assert np.isnan(panel.available[0, 2])


def test_a_day_before_the_history_or_far_after_it_is_refused(shop: Any) -> None:
    snapshot = shop.ingest()
    with pytest.raises(HistoryError, match="the history begins on 2024-03-01"):
        load_panel(snapshot, date(2024, 2, 29), EVERYTHING)
    with pytest.raises(HistoryError, match=r"the calendar does not reach .* too far after it"):
        load_panel(snapshot, date(2026, 2, 28), EVERYTHING)
