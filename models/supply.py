"""Terms of supply and stock, one entry per series of a panel."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.demand import Panel
from features.tables import EVERY_LOCATION
from models.settings import ReplenishmentSettings

Doubles = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
STOCK_AGE_DAYS = 7  # an older count says nothing of today: the stock is then unknown


@dataclass(frozen=True)
class Terms:
    """How each series is supplied; every array is [series]. `shelf_life_days` is infinite where none is known."""

    lead_days: Days
    review_days: Days
    service_level: Doubles
    pack_size: Doubles
    moq: Doubles
    presentation_stock: Doubles
    shelf_life_days: Doubles

    @property
    def protection_days(self) -> Days:
        return self.lead_days + self.review_days


@dataclass(frozen=True)
class Stock:
    """Units in stock and under way at the close of the panel's last day, [series]; on_hand is NaN where unknown."""

    on_hand: Doubles
    on_order: Doubles


def terms_of(
    panel: Panel, settings: ReplenishmentSettings, supply_terms: pa.Table | None = None, catalog: pa.Table | None = None
) -> Terms:
    """Each series' terms: its own supply_terms row, else the product's row for every location, else the catalog's
    pack size and shelf life, else the settings; each value by itself."""
    own = _lookup(panel, supply_terms)
    everywhere = _lookup(panel, supply_terms, [EVERY_LOCATION] * len(panel))
    product = {row["product_id"]: row for row in _rows(catalog, ("product_id", "pack_size", "shelf_life_days"))}

    def term(name: str, default: float, *, from_catalog: bool = False) -> Doubles:
        values = np.full(len(panel), default)
        for series, row in enumerate(own):
            value = row.get(name)
            value = everywhere[series].get(name) if value is None else value
            if value is None and from_catalog:
                value = product.get(panel.product_ids[series], {}).get(name)
                value = value or None  # 0 in a catalog means that nobody filled it in
            if value is not None:
                values[series] = value
        return values

    return Terms(
        lead_days=term("lead_time_days", settings.lead_time_days).astype(np.int64),
        review_days=term("review_period_days", settings.review_period_days).astype(np.int64),
        service_level=term("service_level", settings.service_level),
        pack_size=term("pack_size", settings.pack_size, from_catalog=True),
        moq=term("moq", settings.moq),
        presentation_stock=term("presentation_stock", settings.presentation_stock),
        shelf_life_days=term("shelf_life_days", np.inf, from_catalog=True),
    )


def stock_of(panel: Panel, stock: pa.Table | None = None) -> Stock:
    """The newest count of each series, at most STOCK_AGE_DAYS old and never later than the panel's as_of."""
    if stock is not None:
        oldest = panel.as_of - timedelta(days=STOCK_AGE_DAYS - 1)
        recent = pc.and_(pc.greater_equal(stock["day"], pa.scalar(oldest, pa.date32())),
                         pc.less_equal(stock["day"], pa.scalar(panel.as_of, pa.date32())))  # fmt: skip
        stock = stock.filter(recent).sort_by("day")
    rows = _lookup(panel, stock)
    on_hand = [row.get("closing_units") for row in rows]
    on_order = [row.get("on_order_units") or 0.0 for row in rows]
    return Stock(np.array([np.nan if units is None else units for units in on_hand], np.float64),
                 np.array(on_order, np.float64))  # fmt: skip


def _lookup(panel: Panel, table: pa.Table | None, location_ids: list[str] | None = None) -> list[dict[str, Any]]:
    """The last row of each series, an empty one where the table has none; `location_ids` stand for the panel's."""
    rows = {(row["product_id"], row["location_id"]): row for row in _rows(table)}
    return [rows.get(key, {}) for key in zip(panel.product_ids, location_ids or panel.location_ids, strict=True)]


def _rows(table: pa.Table | None, columns: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    if table is None:
        return []
    rows: list[dict[str, Any]] = (table if columns is None else table.select(columns)).to_pylist()
    return rows
