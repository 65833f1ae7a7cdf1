"""Every day of every series (product × location) from its launch on, as of a day: what sold, and what could have.

Written in parts of bounded size, location by location, so that a chain needs no more memory than a shop.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.day_facts import day_facts
from features.demand_cells import PAID, SHELF, Cells, Numbers, Real, Window, ranged_days, reader
from features.errors import HistoryError
from features.expressions import literal
from features.history import day_number
from features.panel import Bools, open_matrix
from features.stockouts import StockoutSettings, improbable_runs
from features.tables import DEMAND_DAYS, EVERY_LOCATION, Kind
from features.workspace import Snapshot

CELLS_AT_A_TIME = 4_000_000  # series × days held in memory at once
IN_FORCE = "in_force"
PAID_EARLIER, NO_DAY = "paid earlier", np.iinfo(np.int64).max
ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(), "day": pa.date32(), "bool": pa.bool_(), "float": pa.float64(),
}  # fmt: skip
SCHEMA = pa.schema([(column.name, ARROW[column.kind]) for column in DEMAND_DAYS.columns])


def demand_days(
    snapshot: Snapshot,
    as_of: date,
    location: str | None = None,
    product: str | None = None,
    settings: StockoutSettings | None = None,
    cells_at_a_time: int = CELLS_AT_A_TIME,
) -> Iterator[pa.Table]:
    """DEMAND_DAYS rows in parts, sorted by location, product and day, from nothing later than `as_of`.

    A series has a row for each day from its launch (first sale or listing) on, and for earlier days on which something
    was given along or came back. Raises HistoryError where no series is left.
    """
    with reader(snapshot) as (engine, held):
        count = _every_series(engine, held, as_of, location, product)
        if not count:
            raise HistoryError(_nothing(as_of, location, product))
        window = Window(snapshot.first_day, as_of, 0)
        step = max(1, cells_at_a_time // window.days)
        for start in range(0, count, step):
            engine.execute(
                f"CREATE OR REPLACE TABLE series AS SELECT * REPLACE (code - {start} AS code) FROM every_series "
                f"WHERE code BETWEEN {start} AND {start + step - 1}"
            )
            yield _days(snapshot, engine, Cells(engine, window, min(step, count - start), held, np.float64), settings)


def _every_series(
    engine: duckdb.DuckDBPyConnection, held: frozenset[str], as_of: date, location: str | None, product: str | None
) -> int:
    """Make the table `every_series` (code, location_id, product_id, launch) and return its number of rows.

    A listing for every location makes a series at each where anything was handed over by then.
    """
    wanted = "".join(
        f" AND {column} = {literal(value)}"
        for column, value in (("location_id", location), ("product_id", product)) if value is not None
    )  # fmt: skip
    by_then = f"SELECT * FROM demand_history WHERE day <= DATE '{as_of}'"
    parts = [f"SELECT location_id, product_id, min(day) FILTER (sold_units > 0) AS launch FROM ({by_then}) "
             f"WHERE true{wanted} GROUP BY ALL"]  # fmt: skip
    if "listings" in held:
        begun = f"SELECT DISTINCT product_id, location_id FROM listings WHERE starts_on <= DATE '{as_of}'"
        shared = f"(SELECT product_id FROM ({begun}) WHERE location_id = {literal(EVERY_LOCATION)})"
        places = f"(SELECT DISTINCT location_id FROM ({by_then}))"
        everywhere = f"SELECT location_id, product_id FROM {shared} CROSS JOIN {places}"
        own = f"SELECT location_id, product_id FROM ({begun}) WHERE location_id <> {literal(EVERY_LOCATION)}"
        parts += [f"SELECT *, NULL::DATE AS launch FROM ({listed}) WHERE true{wanted}" for listed in (everywhere, own)]
    engine.execute(
        "CREATE TABLE every_series AS SELECT row_number() OVER (ORDER BY location_id, product_id) - 1 AS code, * FROM ("
        "SELECT location_id, product_id, min(launch) - DATE '1970-01-01' AS launch FROM "
        f"({' UNION ALL '.join(parts)}) GROUP BY ALL)"
    )
    found = engine.execute("SELECT count(*) FROM every_series").fetchone()
    return int(found[0]) if found else 0


def _nothing(as_of: date, location: str | None, product: str | None) -> str:
    asked = [f"{name} {value!r}" for name, value in (("product", product), ("location", location)) if value is not None]
    what = f"of {' at '.join(asked)} " if asked else ""
    return f"nothing {what}was handed over or listed up to {as_of}: check the spelling, or choose a later day"


def _days(
    snapshot: Snapshot, engine: duckdb.DuckDBPyConnection, cells: Cells, settings: StockoutSettings | None
) -> pa.Table:
    """The rows of the series in the table `series`."""
    series = engine.execute("SELECT location_id, product_id, launch FROM series ORDER BY code").to_arrow_table()
    window = cells.window
    sold, returned, gifts = (cells.demand(name) for name in ("sold_units", "returned_units", "gift_units"))
    first_sale = np.asarray(series["launch"].fill_null(NO_DAY).to_numpy(), np.int64)
    ranged, launch = ranged_days(cells, first_sale, sold)
    since = _since(launch, window)
    ranged = since if ranged is None else ranged & since
    is_open = _is_open(snapshot, window, series["location_id"].to_pylist())
    available, closing = cells.available(sold), cells.closing()
    rows = since | (sold > 0) | (returned > 0) | (gifts > 0)
    row, day = np.nonzero(rows)
    columns = {
        "location_id": series["location_id"].take(pa.array(row)),
        "product_id": series["product_id"].take(pa.array(row)),
        "day": pa.array((day + day_number(window.first_day)).astype(np.int32)).cast(pa.date32()),
        "ranged": ranged[rows],
        "is_open": is_open[rows],
        "sold_units": sold[rows],
        "returned_units": returned[rows],
        "gift_units": gifts[rows],
        **_stock(available, closing, rows),
        **_prices(cells, rows),
        "promotion": _promotion(cells, rows),
        **_suspected(np.where(ranged & is_open, sold, np.nan), available, rows, settings),
    }
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)


def _since(launch: Numbers, window: Window) -> Bools:
    return np.asarray(np.arange(window.days) + day_number(window.first_day) >= launch[:, None])


def _is_open(snapshot: Snapshot, window: Window, locations: list[str]) -> Bools:
    facts, calendar, own = day_facts(snapshot, window.first_day, window.as_of, locations)
    return open_matrix(facts, calendar, own, window.first_day, (len(locations), window.days))


def _stock(available: Real | None, closing: Real | None, rows: Bools) -> dict[str, pa.Array]:
    """available_share, closing_units and sold_out, null where no stock tells."""
    if available is None or closing is None:
        nothing = np.full(int(rows.sum()), np.nan)
        return {"available_share": _known(nothing), "closing_units": _known(nothing),
                "sold_out": pa.nulls(len(nothing), pa.bool_())}  # fmt: skip
    share, left = available[rows], closing[rows]
    unknown = np.isnan(share) & np.isnan(left)
    return {"available_share": _known(share), "closing_units": _known(left),
            "sold_out": pa.array((left == 0) | (share < 1), mask=unknown)}  # fmt: skip


def _prices(cells: Cells, rows: Bools) -> dict[str, pa.Array]:
    price, origin = cells.prices()
    paid_today = cells.demand("CASE WHEN price IS NOT NULL AND sold_units > 0 THEN 1 ELSE 0 END")[rows] > 0
    told = origin[rows]
    words = np.select([told == SHELF, (told == PAID) & paid_today, told == PAID], ["shelf", "paid", PAID_EARLIER], "")
    return {"price": _known(price[rows]), "price_origin": pa.array(words.astype(object), pa.string(), mask=told == 0)}


def _promotion(cells: Cells, rows: Bools) -> Any:
    """Whether a plan was in force and known that day; null where no plans are given."""
    if "plans" not in cells.held:
        return pa.nulls(int(rows.sum()), pa.bool_())
    return cells.planned({IN_FORCE: "true"})[IN_FORCE][rows] >= 0


def _suspected(
    units: Real, available: Real | None, rows: Bools, settings: StockoutSettings | None
) -> dict[str, pa.Array]:
    """The flags of improbable runs; where stock tells what was there, it is believed."""
    in_stock = None if available is None else available >= 1
    if available is not None:
        units = np.where(available < 1, np.nan, units)
    found = improbable_runs(units, in_stock, settings)
    return {"suspected_stockout": found.suspected[rows], "zero_run_chance": _known(found.chance[rows]),
            "missed_units": found.missed_units[rows].astype(np.float64)}  # fmt: skip


def _known(values: Any) -> pa.Array:
    """Numbers with null for NaN."""
    return pa.array(values.astype(np.float64), pa.float64(), mask=np.isnan(values))
