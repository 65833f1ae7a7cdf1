"""A coded purchase history as plain files that open in milliseconds, statistics of customers included."""

from datetime import date
from pathlib import Path
from typing import Any

from features.arrays import open_array, open_json, open_record, save_array, save_json, save_record
from features.customers import Customers, Owned, customers_of, keep_statistics, owned_of
from features.history import Catalog, Ids, Purchases

IDS = ("customers", "products", "locations", "channels")
COLUMNS = ("customer", "product", "location", "channel", "order", "day", "units", "amount")


def save_purchases(purchases: Purchases, folder: Path, half_life_days: float) -> None:
    """Write the history, its catalog and the statistics at this half-life into `folder`."""
    for name in COLUMNS:
        save_array(folder, name, getattr(purchases, name))
    catalog = purchases.catalog
    save_array(folder, "category", catalog.category)
    save_array(folder, "brand", catalog.brand)
    save_json(folder, "names", catalog.names)
    ids = {name: getattr(purchases, name).values for name in IDS}
    ids["brands"] = catalog.brands.values
    ids["category_names"] = [level.values for level in catalog.category_names]
    save_json(folder, "ids", ids)
    save_json(folder, "history", {"as_of": purchases.as_of.isoformat()})
    save_record(folder / "customers", customers_of(purchases, half_life_days))
    save_record(folder / "owned", owned_of(purchases, half_life_days))


def open_purchases(folder: Path) -> Purchases:
    """Reopen what `save_purchases` wrote, arrays memory-mapped. Raises BundleError when a file is damaged."""
    ids = open_json(folder, "ids")
    catalog = Catalog(
        names=open_json(folder, "names"),
        category=open_array(folder, "category"),
        category_names=tuple(_sorted_ids(level) for level in ids["category_names"]),
        brand=open_array(folder, "brand"),
        brands=_sorted_ids(ids["brands"]),
    )
    parts: dict[str, Any] = {name: _sorted_ids(ids[name]) for name in IDS}
    parts |= {name: open_array(folder, name) for name in COLUMNS}
    as_of = date.fromisoformat(open_json(folder, "history")["as_of"])
    purchases = Purchases(as_of=as_of, catalog=catalog, **parts)
    keep_statistics(purchases, open_record(folder / "customers", Customers), open_record(folder / "owned", Owned))
    return purchases


def _sorted_ids(values: list[str]) -> Ids:
    """Ids of values known to be sorted and distinct, without sorting a million of them again."""
    ids = Ids(())
    ids.values = values
    return ids
