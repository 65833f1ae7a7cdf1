"""An ingest gives the same snapshot for the same exports, and later rows change nothing that was known."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.demand import PanelSettings, load_panel
from features.errors import RecipeError
from features.fingerprint import fingerprint
from features.history import load_purchases
from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from tests.fixtures import tiny_shop
from training.recipe import load_recipe

AS_OF = date(2024, 3, 31)
LATER = """l1,new1,zoe,p99,s9,2024-04-01 00:00:01,5,9.00,0
l2,20240310-c00,c00,p00,s0,2024-04-02 10:00:00,7,9.00,0
l3,new3,c01,p01,s1,2024-05-30 10:00:00,-1,-9.00,0
20240101-c00-p00,20240101-c00,c00,p00,s0,2024-04-03 09:30:00,9,9.00,0
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("shop")
    return ingest(load_recipe(str(tiny_shop.write_exports(folder))), Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The same shop after rows of later days came to the end of every export."""
    folder = tmp_path_factory.mktemp("shop_later")
    recipe = tiny_shop.write_exports(folder)
    for name, rows in {
        "lines.csv": LATER,
        "products.csv": "p00,Another name,food,category 9\np99,New,new,new\n",
        "promotions.csv": "p00,s0,2024-03-18,2024-03-24,2024-04-01\np01,s0,2024-04-01,2024-04-07,2024-04-01\n",
    }.items():
        with (folder / name).open("a") as stream:
            stream.write(rows)
    return ingest(load_recipe(str(recipe)), Workspace(folder / "workspace"))


def test_later_rows_change_no_purchase(before: Snapshot, after: Snapshot) -> None:
    old, new = load_purchases(before, AS_OF), load_purchases(after, AS_OF)
    for name in ("customer", "product", "location", "channel", "order", "day", "units", "amount"):
        assert np.array_equal(getattr(old, name), getattr(new, name)), name
    for name in ("customers", "products", "locations", "channels"):
        assert list(getattr(old, name)) == list(getattr(new, name)), name
    assert old.catalog.names == new.catalog.names
    assert np.array_equal(old.catalog.category, new.catalog.category)


def test_later_rows_change_no_panel(before: Snapshot, after: Snapshot) -> None:
    settings = PanelSettings()
    old, new = load_panel(before, AS_OF, settings), load_panel(after, AS_OF, settings)
    assert (old.product_ids, old.location_ids) == (new.product_ids, new.location_ids)
    assert len(old) > 20
    for name in ("units", "price", "category"):
        assert np.array_equal(getattr(old, name), getattr(new, name), equal_nan=True), name
    for name in ("display", "promotion"):
        assert np.array_equal(old.planned[name], new.planned[name]), name
    for name in ("is_open", "holiday", "working_day"):
        assert np.array_equal(getattr(old.facts, name), getattr(new.facts, name)), name


def test_later_rows_change_no_fingerprint_but_earlier_ones_do(before: Snapshot, after: Snapshot) -> None:
    assert fingerprint(before, AS_OF) == fingerprint(after, AS_OF)
    assert fingerprint(before, date(2024, 4, 3)) != fingerprint(after, date(2024, 4, 3))


def test_the_same_exports_give_the_same_bytes(before: Snapshot, tmp_path: Path) -> None:
    again = ingest(load_recipe(str(tiny_shop.write_exports(tmp_path))), Workspace(tmp_path / "workspace"))
    assert again.version == before.version
    assert contents(again.folder) == contents(before.folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every published file; the ledger also holds when the exports were written."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "ledger.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_exports_again_change_nothing(shop: Any) -> None:
    first = shop.ingest()
    (shop.folder / "lines.csv").touch()
    assert shop.ingest().version == first.version


def test_old_snapshots_and_their_quarantines_go_in_time(shop: Any) -> None:
    versions = []
    for day in range(4, 9):
        shop.add(f"9{day},o{day},ann,milk,s1,2024-03-0{day} 10:00:00,0,1.00")
        versions.append(shop.ingest().version)
    kept = sorted(path.name for path in (shop.workspace.folder / "history").iterdir() if path.is_dir())
    assert kept == versions[-3:]
    assert sorted(path.name for path in shop.workspace.quarantine.iterdir()) == versions[-3:]


def test_a_return_is_a_row_of_its_own_and_not_demand(shop: Any) -> None:
    shop.add("9,o1,ann,milk,s1,2024-03-01 18:00:00,-1,-2.00")
    snapshot = shop.ingest()
    units = [int(row["net_units"]) for row in snapshot.read("purchase_history").to_pylist()
             if (row["order_id"], row["product_id"]) == ("o1", "milk")]  # fmt: skip
    assert sorted(units) == [-1, 2]
    (day,) = [row for row in snapshot.read("demand_history").to_pylist()
              if (row["product_id"], row["day"]) == ("milk", date(2024, 3, 1))]  # fmt: skip
    assert (day["sold_units"], day["returned_units"], day["price"]) == (2.0, 1.0, 2.0)
    assert day["promotion"] is None


def test_one_source_keeps_its_order_numbers_and_several_are_told_apart(shop: Any) -> None:
    assert set(shop.ingest().read("purchase_history")["order_id"].to_pylist()) == {"o1", "o2", "o3"}
    mapped = ", ".join(f"{name} = {text!r}" for name, text in shop.columns.items())
    shop.retailer += "\n[orders]\ntwin_minutes = 0"
    shop.extra = f'[sources.app]\ntable = "order_lines"\npath = "lines.csv"\ncolumns = {{ {mapped} }}'
    ids = set(shop.ingest().read("purchase_history")["order_id"].to_pylist())
    assert ids == {f"{source}:{order}" for source in ("till", "app") for order in ("o1", "o2", "o3")}


@pytest.mark.parametrize(("rule", "customers"), [("shared", ["ann", "bob"]), ("per-channel", ["pos:ann", "pos:bob"])])
def test_account_numbers_become_customers_as_the_recipe_says(shop: Any, rule: str, customers: list[str]) -> None:
    shop.retailer += f'\n[identity]\naccount_numbers = "{rule}"'
    rows = shop.ingest().read("customers").to_pylist()
    assert [row["customer_id"] for row in rows] == customers
    assert rows[0]["accounts"] == ["pos:ann"]
    assert (rows[0]["first_purchase_on"], rows[0]["last_purchase_on"]) == (date(2024, 3, 1), date(2024, 3, 1))


def days(snapshot: Snapshot) -> list[tuple[str, date]]:
    return [(str(row["ordered_at"]), row["day"]) for row in snapshot.read("purchase_history").to_pylist()]


@pytest.mark.parametrize(
    ("written", "stored", "day"),
    [
        ("2024-01-15 23:30:00", "2024-01-16 04:30:00", date(2024, 1, 15)),
        ("2024-07-15 23:30:00", "2024-07-16 03:30:00", date(2024, 7, 15)),
        ("2024-03-10 02:30:00", "2024-03-10 07:30:00", date(2024, 3, 10)),
        ("2024-11-03 01:30:00", "2024-11-03 06:30:00", date(2024, 11, 3)),
        ("2024-07-16T03:30:00Z", "2024-07-16 03:30:00", date(2024, 7, 15)),
        ("2024-07-16 05:30:00+02:00", "2024-07-16 03:30:00", date(2024, 7, 15)),
        ("2024-07-15", "2024-07-15 04:00:00", date(2024, 7, 15)),
    ],
)
def test_a_sale_belongs_to_the_shops_day_and_is_stored_in_utc(shop: Any, written: str, stored: str, day: date) -> None:
    shop.retailer += '\ntime_zone = "America/New_York"'
    shop.write(
        "lines.csv", f"line,order,account,product,shop,sold_at,quantity,paid\n1,o1,ann,milk,s1,{written},1,2.00\n"
    )
    assert days(shop.ingest()) == [(stored, day)]


def test_a_source_may_be_written_in_another_zone_than_the_shops(shop: Any) -> None:
    shop.retailer += '\ntime_zone = "America/New_York"'
    shop.source += '\ntime_zone = "UTC"'
    shop.write(
        "lines.csv", "line,order,account,product,shop,sold_at,quantity,paid\n1,o1,,milk,s1,2024-07-16 03:30:00,1,2\n"
    )
    assert days(shop.ingest()) == [("2024-07-16 03:30:00", date(2024, 7, 15))]


def test_one_line_of_one_anonymous_basket_is_enough(shop: Any) -> None:
    shop.columns = {"order_id": '"order"', "product_id": "product", "quantity": "quantity", "ordered_at": "sold_at"}
    shop.write("lines.csv", 'order,product,quantity,sold_at\n\'; DROP--,"牛奶, 1 \u2028L",0.375,2024-03-01\n')
    snapshot = shop.ingest()
    purchases = load_purchases(snapshot, date(2024, 3, 1))
    assert (list(purchases.products), purchases.units.tolist(), list(purchases.customers)) == (
        ["牛奶, 1 \u2028L"],
        [0.375],
        [],
    )
    assert list(purchases.locations) == ["all"]
    panel = load_panel(snapshot, date(2024, 3, 1), PanelSettings(min_sale_days=1))
    assert panel.units.tolist() == [[0.375]]
    assert panel.planned == {}


def test_an_unknown_country_gets_a_suggestion(shop: Any) -> None:
    shop.retailer += '\ncountry = "UX"'
    with pytest.raises(RecipeError, match="no holidays are known for 'UX'"):
        shop.ingest()


def test_a_step_is_told_for_every_source(shop: Any) -> None:
    told: list[str] = []

    class Told:
        def step(self, name: str, total: int | None = None) -> Any:
            told.append(name)
            return _Step()

    ingest(load_recipe(str(shop.recipe)), shop.workspace, Told())
    assert told == ["read exports", "write history", "write tables"]


class _Step:
    advance: Callable[..., None] = staticmethod(lambda amount=1: None)

    def __enter__(self) -> "_Step":
        return self

    def __exit__(self, *fault: object) -> None:
        return None
