"""The panel that forecasters read, as of a day."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads

from features.day_facts import day_facts
from features.demand_cells import PLANNED, Cells, Numbers, Window, ranged_days, reader
from features.errors import HistoryError
from features.history import Ids, Int, catalog_for, day_number
from features.panel import DayFacts, Panel, PanelSettings, Short
from features.workspace import Snapshot

__all__ = ["DayFacts", "Panel", "PanelSettings", "Short", "load_panel"]


def load_panel(snapshot: Snapshot, as_of: date, settings: PanelSettings) -> Panel:
    """Load the demand of every active series up to the end of `as_of`, reading nothing learnt later than that.

    A series is active when it sold on at least `min_sale_days` days of the last `history_days`, the last of them
    within `active_days`. Raises HistoryError when there is none.
    """
    if as_of < snapshot.first_day:
        raise HistoryError(f"there is no demand up to {as_of}: the history begins on {snapshot.first_day}")
    start = max(snapshot.first_day, as_of - timedelta(days=settings.history_days - 1))
    window = Window(start, as_of, settings.ahead_days)
    day_facts(snapshot, start, window.last_day, ())  # told before the work where the calendar does not reach
    with reader(snapshot) as (engine, held):
        series = _choose(engine, window, settings)
        products, locations = series["product_id"].to_pylist(), series["location_id"].to_pylist()
        cells = Cells(engine, window, len(series), held)
        units = cells.demand("sold_units")
        ranged, launch = ranged_days(cells, _numbers(series["launch"]), units)
        available = cells.available(units)
        units[np.arange(window.days) < (launch - day_number(start))[:, None]] = np.nan
        price = cells.prices().price
        planned = cells.planned(PLANNED)
    facts, calendar, own_facts = day_facts(snapshot, start, window.last_day, locations)
    return Panel(
        as_of=as_of,
        first_day=start,
        product_ids=products,
        location_ids=locations,
        units=units,
        available=available,
        price=price,
        category=_categories(snapshot, products),
        facts=facts,
        planned=planned,
        ahead_days=settings.ahead_days,
        ranged=ranged,
        calendar=calendar,
        own_facts=own_facts,
    )


def _choose(engine: duckdb.DuckDBPyConnection, window: Window, settings: PanelSettings) -> pa.Table:
    """Make the table `series` (code, product_id, location_id) and return it with the day of the first sale."""
    active = window.as_of - timedelta(days=settings.active_days)
    engine.execute(
        "CREATE TABLE series AS SELECT row_number() OVER (ORDER BY location_id, product_id) - 1 AS code, * FROM ("
        "  SELECT location_id, product_id, min(day) - DATE '1970-01-01' AS launch FROM demand_history"
        "  WHERE day <= $as_of AND sold_units > 0 GROUP BY location_id, product_id"
        "  HAVING count(*) FILTER (day >= $first_day) >= $min_sale_days AND max(day) > $active)",
        {
            "as_of": window.as_of,
            "first_day": window.first_day,
            "min_sale_days": settings.min_sale_days,
            "active": active,
        },
    )
    series = engine.execute("SELECT product_id, location_id, launch FROM series ORDER BY code").to_arrow_table()
    if not len(series):
        raise HistoryError(
            f"no product sold on {settings.min_sale_days} days or more, last within {settings.active_days} days of "
            f"{window.as_of}: lower forecast.min_sale_days, raise forecast.active_days, or wait for more history"
        )
    return series


def _categories(snapshot: Snapshot, products: list[str]) -> Int:
    """Category codes of each series, int32 [series, levels], counted over the products of the panel only."""
    ids = Ids(products)
    table = None
    if snapshot.holds("catalog"):
        table = snapshot.read("catalog", pads.field("product_id").isin(pa.array(ids.values, pa.string())))
    return catalog_for(ids, table).category[ids.codes(products)]


def _numbers(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.to_numpy(), np.int64)
