"""Daily demand per product and location as of a day: DuckDB sums and filters, numpy places the figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as pads

from features.calendar import EVERYWHERE
from features.engine import memory_limit
from features.errors import HistoryError
from features.expressions import literal
from features.history import Float, Ids, Int, catalog_for, day_number
from features.panel import DayFacts, Panel, PanelSettings, Short
from features.tables import EVERY_LOCATION
from features.workspace import Snapshot

__all__ = ["DayFacts", "Panel", "PanelSettings", "Short", "load_panel"]

BATCH_ROWS = 500_000
PLANNED = {"display": "display IS NOT NULL", "promotion": "promotion IS NOT NULL OR planned_price IS NOT NULL"}


@dataclass(frozen=True)
class _Window:
    """The days of a panel."""

    first_day: date
    as_of: date
    ahead_days: int

    @property
    def days(self) -> int:
        return (self.as_of - self.first_day).days + 1

    @property
    def last_day(self) -> date:
        return self.as_of + timedelta(days=self.ahead_days)


def load_panel(snapshot: Snapshot, as_of: date, settings: PanelSettings) -> Panel:
    """Load the demand of every active series up to the end of `as_of`, reading nothing learnt later than that.

    A series is active when it sold on at least `min_sale_days` days of the last `history_days`, the last of them
    within `active_days`. Raises HistoryError when there is none.
    """
    if as_of < snapshot.first_day:
        raise HistoryError(f"there is no demand up to {as_of}: the history begins on {snapshot.first_day}")
    start = max(snapshot.first_day, as_of - timedelta(days=settings.history_days - 1))
    window = _Window(start, as_of, settings.ahead_days)
    facts = _day_facts(snapshot, window)
    with _reader(snapshot) as engine:
        series = _choose(engine, window, settings)
        products, locations = series["product_id"].to_pylist(), series["location_id"].to_pylist()
        launch = _numbers(series["launch"])
        units = _units(engine, window, launch)
        price = _price(engine, window, len(series))
        available = _available(engine, window, len(series)) if snapshot.holds("stock") else None
        planned = _planned(engine, window, len(series)) if snapshot.holds("plans") else {}
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
    )


@contextmanager
def _reader(snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view per table of the snapshot."""
    with duckdb.connect(config={"memory_limit": memory_limit()}) as engine:
        for table in ("demand_history", "plans", "stock"):
            if snapshot.holds(table):
                files = literal(snapshot.files(table))
                engine.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)")
        yield engine


def _choose(engine: duckdb.DuckDBPyConnection, window: _Window, settings: PanelSettings) -> pa.Table:
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


def _cells(engine: duckdb.DuckDBPyConnection, query: str, window: _Window) -> Iterator[list[npt.NDArray[Any]]]:
    """Columns of the query's rows in batches."""
    reader = engine.execute(query, {"first_day": window.first_day, "as_of": window.as_of}).to_arrow_reader(BATCH_ROWS)
    for batch in reader:
        yield [column.to_numpy(zero_copy_only=False) for column in batch.columns]


def _units(engine: duckdb.DuckDBPyConnection, window: _Window, launch: npt.NDArray[np.int64]) -> Float:
    units = np.zeros((len(launch), window.days), np.float32)
    units[np.arange(window.days) < (launch - day_number(window.first_day))[:, None]] = np.nan
    query = (
        "SELECT code, day - $first_day AS place, sold_units FROM demand_history JOIN series "
        "USING (location_id, product_id) WHERE day BETWEEN $first_day AND $as_of AND sold_units > 0"
    )
    for code, place, sold in _cells(engine, query, window):
        units[code, place] = sold
    return units


def _price(engine: duckdb.DuckDBPyConnection, window: _Window, series: int) -> Float:
    """Prices paid, carried forward over days without a sale, from before the window too."""
    price = np.full((series, window.days), np.nan, np.float32)
    query = (
        "SELECT code, greatest(day, $first_day) - $first_day AS place, price FROM demand_history JOIN series "
        "USING (location_id, product_id) WHERE day <= $as_of AND price IS NOT NULL AND sold_units > 0 "
        "QUALIFY day >= $first_day OR row_number() OVER (PARTITION BY code, day < $first_day ORDER BY day DESC) = 1 "
        "ORDER BY day"
    )
    for code, place, paid in _cells(engine, query, window):
        price[code, place] = paid
    return _carried_forward(price)


def _carried_forward(matrix: Float) -> Float:
    for place in range(1, matrix.shape[1]):
        missing = np.isnan(matrix[:, place])
        matrix[missing, place] = matrix[missing, place - 1]
    return matrix


def _available(engine: duckdb.DuckDBPyConnection, window: _Window, series: int) -> Float:
    available = np.full((series, window.days), np.nan, np.float32)
    query = (
        "SELECT code, day - $first_day AS place, available_share FROM stock JOIN series "
        "USING (location_id, product_id) WHERE day BETWEEN $first_day AND $as_of AND available_share IS NOT NULL"
    )
    for code, place, share in _cells(engine, query, window):
        available[code, place] = share
    return available


def _planned(engine: duckdb.DuckDBPyConnection, window: _Window, series: int) -> dict[str, Short]:
    """For each kind of plan and each day how long before it was known, int16 [series, days + ahead_days]."""
    width = window.days + window.ahead_days
    planned = {name: np.full((series, width), -1, np.int16) for name in PLANNED}
    kinds = ", ".join(f"({condition}) AS {name}" for name, condition in PLANNED.items())
    query = (
        "SELECT code, starts_on - $first_day AS first, ends_on - $first_day AS last, "
        f"known_on - $first_day AS known, {kinds} FROM plans JOIN ("
        "  SELECT code, product_id, location_id FROM series"
        f" UNION SELECT code, product_id, {literal(EVERY_LOCATION)} FROM series) USING (location_id, product_id) "
        f"WHERE known_on <= $as_of AND ends_on >= $first_day AND starts_on <= $as_of + {window.ahead_days}"
    )
    for code, first, last, known, *kinds_given in _cells(engine, query, window):
        for name, given in zip(PLANNED, kinds_given, strict=True):
            _place(planned[name], code[given], np.maximum(first, known)[given], last[given], known[given])
    return planned


def _place(matrix: Short, code: Any, first: Any, last: Any, known: Any) -> None:
    """Write day - known into every day from `first` to `last`; where plans overlap the one known longest counts."""
    width = matrix.shape[1]
    first, last = np.maximum(first, 0), np.minimum(last, width - 1)
    for step in range(int((last - first).max(initial=-1)) + 1):
        inside = first + step <= last
        place = first[inside] + step
        lead = np.minimum(place - known[inside], np.iinfo(np.int16).max).astype(np.int16)
        np.maximum.at(matrix, (code[inside], place), lead)


def _categories(snapshot: Snapshot, products: list[str]) -> Int:
    """Category codes of each series, int32 [series, levels], counted over the products of the panel only."""
    ids = Ids(products)
    table = None
    if snapshot.holds("catalog"):
        table = snapshot.read("catalog", pads.field("product_id").isin(pa.array(ids.values, pa.string())))
    return catalog_for(ids, table).category[ids.codes(products)]


def _day_facts(snapshot: Snapshot, window: _Window) -> DayFacts:
    day, region = pads.field("day"), pads.field("region")
    first, last = (pa.scalar(end, pa.date32()) for end in (window.first_day, window.last_day))
    rows = snapshot.read("calendar", (day >= first) & (day <= last) & (region == EVERYWHERE)).sort_by("day")
    if len(rows) != window.days + window.ahead_days:
        raise HistoryError(
            f"the calendar does not reach {window.last_day}: the history ends on {snapshot.last_day}, so that "
            f"{window.as_of} is too far after it: ingest newer exports or choose an earlier day"
        )
    names = Ids(name for name in rows["holiday"].to_pylist() if name is not None)
    return DayFacts(
        first_day=window.first_day,
        is_open=np.array(rows["is_open"].to_pylist(), bool),
        holiday=names.codes(rows["holiday"].to_pylist()),
        holidays=tuple(names.values),
        working_day=np.array(rows["working_day"].to_pylist(), bool),
    )


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(), np.int64)
