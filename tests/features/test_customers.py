"""Customer statistics against a plain computation with pandas."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import customers as module
from features.bundled_history import open_purchases, save_purchases
from features.customers import customers_of, owned_of
from features.errors import BundleError
from features.history import Purchases, day_number
from tests.fixtures import tiny_models

AS_OF = date(2024, 4, 20)


@pytest.fixture
def history() -> Purchases:
    return tiny_models.purchases(AS_OF)


def frame(history: Purchases) -> pd.DataFrame:
    names = ("customer", "product", "location", "order", "day", "units")
    rows = pd.DataFrame({name: getattr(history, name) for name in names})
    return rows[rows["customer"] >= 0].assign(age=lambda rows: day_number(AS_OF) - rows["day"])


def test_a_customers_products_are_counted_as_pandas_counts_them(history: Purchases) -> None:
    owned = owned_of(history, 60)
    rows = frame(history)
    groups = rows.groupby(["customer", "product"])
    table = groups.agg(baskets=("order", "nunique"), units=("units", "sum"), first_day=("day", "min"),
                       last_day=("day", "max"), days=("day", "nunique"), last_order=("order", "max"))  # fmt: skip
    for name in ("baskets", "first_day", "last_day", "days"):
        assert getattr(owned, name).tolist() == table[name].tolist(), name
    assert owned.units == pytest.approx(table["units"].to_numpy())
    assert owned.decayed == pytest.approx(groups["age"].agg(lambda age: (0.5 ** (age / 60)).sum()).to_numpy(), rel=1e-5)
    assert owned.recent == pytest.approx(groups["age"].agg(lambda age: (0.5 ** (age / 15)).sum()).to_numpy(), rel=1e-5)
    gaps = groups["day"].agg(lambda day: np.diff(np.unique(day)).std() if day.nunique() > 2 else np.nan)
    assert owned.gap_spread() == pytest.approx(gaps.to_numpy(np.float64), abs=1e-2, nan_ok=True)
    since = [
        rows[(rows["customer"] == customer) & (rows["order"] > last)]["order"].nunique()
        for (customer, _), last in table["last_order"].items()
    ]
    assert owned.orders_since.tolist() == since


def test_a_customer_is_counted_as_pandas_counts_it(history: Purchases) -> None:
    facts = customers_of(history, 60)
    groups = frame(history).groupby("customer")
    assert facts.baskets.tolist() == groups["order"].nunique().tolist()
    assert facts.lines.tolist() == groups.size().tolist()
    assert facts.days.tolist() == groups["day"].nunique().tolist()
    assert facts.first_day.tolist() == groups["day"].min().tolist()
    assert facts.last_day.tolist() == groups["day"].max().tolist()
    assert facts.home_location.tolist() == groups["location"].agg(lambda place: place.mode().iloc[0]).tolist()


def test_pairs_are_found_and_strangers_are_not(history: Purchases) -> None:
    owned = owned_of(history, 60)
    every = np.arange(len(owned))
    assert owned.find(owned.customer, owned.product).tolist() == every.tolist()
    never = next(p for p in range(24) if p not in owned.product[owned.start[3] : owned.start[4]])
    asked = owned.find(np.array([3, -1, 3], np.int32), np.array([never, 0, owned.product[owned.start[3]]], np.int32))
    assert asked.tolist() == [-1, -1, owned.start[3]]
    position, entry = owned.entries(np.array([-1, 2], np.int32))
    assert set(position.tolist()) == {1}
    assert entry.tolist() == list(range(owned.start[2], owned.start[3]))


def test_blocks_change_nothing(history: Purchases, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = owned_of(history, 60)
    monkeypatch.setattr(module, "BLOCK_ROWS", 100)
    blocked = owned_of(replace(history), 60)
    assert blocked is not whole
    for name, values in vars(whole).items():
        assert np.array_equal(values, getattr(blocked, name)), name


def test_a_history_without_customers_has_no_statistics_and_no_fault() -> None:
    from features.history import purchases_from

    table = tiny_models.history_table()
    nameless = purchases_from(table.set_column(2, "account_id", pa.nulls(len(table), pa.string())), AS_OF)
    assert len(owned_of(nameless, 60)) == 0
    assert len(customers_of(nameless, 60).baskets) == 0
    assert owned_of(nameless, 60).find(np.array([-1], np.int32), np.array([0], np.int32)).tolist() == [-1]


def test_a_saved_history_opens_as_it_was_with_its_statistics(history: Purchases, tmp_path: Path) -> None:
    save_purchases(history, tmp_path, 60)
    opened = open_purchases(tmp_path)
    for name in ("customer", "product", "location", "channel", "order", "day", "units", "amount"):
        assert np.array_equal(getattr(opened, name), getattr(history, name)), name
    for name in ("customers", "products", "locations", "channels"):
        assert list(getattr(opened, name)) == list(getattr(history, name))
    assert opened.as_of == AS_OF
    assert opened.catalog.names == history.catalog.names
    assert opened.products.code("p07") == history.products.code("p07")
    assert isinstance(owned_of(opened, 60).product.base, np.memmap)
    assert np.array_equal(owned_of(opened, 60).decayed, owned_of(history, 60).decayed)


def test_a_damaged_array_is_named(history: Purchases, tmp_path: Path) -> None:
    save_purchases(history, tmp_path, 60)
    (tmp_path / "day.npy").write_bytes(b"not an array")
    with pytest.raises(BundleError, match=r"day\.npy is missing or damaged"):
        open_purchases(tmp_path)


def test_an_earlier_view_is_what_only_earlier_rows_give(history: Purchases) -> None:
    early = date(2024, 2, 11)
    narrowed, fresh = history.until(early), tiny_models.purchases(early)
    for name in ("customer", "product", "location", "channel", "order", "day", "units", "amount"):
        assert np.array_equal(getattr(narrowed, name), getattr(fresh, name)), name
    assert narrowed.products.values == fresh.products.values
    assert narrowed.catalog.names == fresh.catalog.names
    assert np.array_equal(narrowed.catalog.category, fresh.catalog.category)
    assert [level.values for level in narrowed.catalog.category_names] == [
        level.values for level in fresh.catalog.category_names
    ]
