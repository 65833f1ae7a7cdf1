"""Figures of many series by day: DuckDB sums and filters, numpy places them. All reads end with the window's last day.

The connection holds a table `series` (code, product_id, location_id), codes from 0 on, and a view per table of the
snapshot; every answer is a matrix [series, days] by code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt

from features.engine import memory_limit
from features.expressions import literal
from features.history import day_number
from features.panel import Bools, Short
from features.tables import EVERY_LOCATION
from features.workspace import Snapshot

BATCH_ROWS = 500_000
TABLES = ("demand_history", "plans", "stock", "listings", "prices")
PLANNED = {"display": "display IS NOT NULL", "promotion": "promotion IS NOT NULL OR planned_price IS NOT NULL"}
PAID, SHELF = 1, 2  # where a price comes from
Numbers = npt.NDArray[np.int64]
Real = npt.NDArray[Any]  # of the floating kind that the cells hold


@dataclass(frozen=True)
class Window:
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


class Prices(NamedTuple):
    """price by day, NaN where unknown; origin int8: PAID, SHELF, or 0 where unknown. Both carried forward."""

    price: Real
    origin: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Cells:
    """The figures of the series of a connection over a window."""

    engine: duckdb.DuckDBPyConnection
    window: Window
    count: int
    held: frozenset[str]  # tables of the snapshot
    number: type[np.floating[Any]] = np.float32  # of units, shares and prices

    def rows(self, query: str) -> Iterator[list[npt.NDArray[Any]]]:
        """Columns of the query's rows in batches."""
        days = {"first_day": self.window.first_day, "as_of": self.window.as_of}
        used = {name: day for name, day in days.items() if f"${name}" in query}
        for batch in self.engine.execute(query, used).to_arrow_reader(BATCH_ROWS):
            yield [column.to_numpy(zero_copy_only=False) for column in batch.columns]

    def demand(self, column: str) -> Real:
        """A column of demand_history, 0 on days without a row."""
        matrix = np.zeros((self.count, self.window.days), self.number)
        query = (
            f"SELECT code, day - $first_day AS place, {column} FROM demand_history JOIN series "
            f"USING (location_id, product_id) WHERE day BETWEEN $first_day AND $as_of AND {column} > 0"
        )
        for code, place, units in self.rows(query):
            matrix[code, place] = units
        return matrix

    def available(self, sold: Real) -> Real | None:
        """Share of open hours with stock, NaN where unknown; None where no stock is given.

        Where only closing stock is given, a day between two closings without any, on which nothing sold, had none.
        """
        if "stock" not in self.held:
            return None
        available = np.full((self.count, self.window.days), np.nan, self.number)
        query = (
            "SELECT code, day - $first_day AS place, available_share FROM stock JOIN series "
            "USING (location_id, product_id) WHERE day BETWEEN $first_day AND $as_of AND available_share IS NOT NULL"
        )
        for code, place, share in self.rows(query):
            available[code, place] = share
        closing = self.closing(with_day_before=True)
        assert closing is not None
        empty = (closing[:, 1:] == 0) & (closing[:, :-1] == 0) & (sold == 0) & np.isnan(available)
        available[empty] = 0
        return available

    def closing(self, *, with_day_before: bool = False) -> Real | None:
        """Units on the shelf at closing time, NaN where unknown; None where no stock is given."""
        if "stock" not in self.held:
            return None
        before = int(with_day_before)
        closing = np.full((self.count, self.window.days + before), np.nan, self.number)
        query = (
            f"SELECT code, day - $first_day + {before} AS place, closing_units FROM stock JOIN series "
            f"USING (location_id, product_id) WHERE day BETWEEN $first_day - {before} AND $as_of "
            "AND closing_units IS NOT NULL"
        )
        for code, place, units in self.rows(query):
            closing[code, place] = units
        return closing

    def prices(self) -> Prices:
        """Prices paid, and shelf prices where set, each carried forward until the next; from before the window too."""
        shape = (self.count, self.window.days)
        price, origin = np.full(shape, np.nan, self.number), np.zeros(shape, np.int8)
        events = (
            f"SELECT code, day, price, {PAID}::TINYINT AS origin FROM demand_history JOIN series "
            "USING (location_id, product_id) WHERE day <= $as_of AND price IS NOT NULL AND sold_units > 0"
        )
        if "prices" in self.held:
            events += f" UNION ALL ({_shelf_prices()})"
        query = (
            "SELECT code, greatest(day, $first_day) - $first_day AS place, price, origin FROM "
            f"({events}) QUALIFY day >= $first_day OR row_number() OVER "
            "(PARTITION BY code, day < $first_day ORDER BY day DESC, origin) = 1 ORDER BY day, origin DESC"
        )
        for code, place, paid, told in self.rows(query):  # of one day the price paid comes last, and counts
            price[code, place], origin[code, place] = paid, told
        for column in range(1, self.window.days):
            missing = np.isnan(price[:, column])
            price[missing, column] = price[missing, column - 1]
            origin[missing, column] = origin[missing, column - 1]
        return Prices(price, origin)

    def listed(self) -> tuple[Bools, Numbers] | None:
        """Days within a listing, and the day number of each series' first listing; None where no listings are given.

        A listing counts from its first day on and ends when its last day has come: before, nobody is sure of it.
        Series without a listing have a first day beyond every window.
        """
        if "listings" not in self.held:
            return None
        steps = np.zeros((self.count, self.window.days + 1), np.int32)
        launch = np.full(self.count, np.iinfo(np.int64).max, np.int64)
        query = (
            "SELECT code, starts_on - DATE '1970-01-01' AS launch, "
            "greatest(starts_on, $first_day) - $first_day AS first, "
            "least(coalesce(ends_on, $as_of), $as_of) - $first_day AS last "
            f"FROM ({_for_series('listings', 'starts_on, ends_on')}) WHERE starts_on <= $as_of"
        )
        for code, began, first, last in self.rows(query):
            np.minimum.at(launch, code, began)
            inside = last >= first
            np.add.at(steps, (code[inside], first[inside]), 1)
            np.add.at(steps, (code[inside], last[inside] + 1), -1)
        return np.cumsum(steps[:, :-1], axis=1) > 0, launch

    def planned(self, kinds: dict[str, str]) -> dict[str, Short]:
        """For each kind of plan and each day how long before it was known, int16 [series, days + ahead_days].

        `kinds` are SQL conditions of plans. -1 where no plan is in force, or none that was known by then.
        """
        if "plans" not in self.held:
            return {}
        width = self.window.days + self.window.ahead_days
        planned = {name: np.full((self.count, width), -1, np.int16) for name in kinds}
        given = ", ".join(f"({condition}) AS {name}" for name, condition in kinds.items())
        query = (
            "SELECT code, starts_on - $first_day AS first, ends_on - $first_day AS last, "
            f"known_on - $first_day AS known, {given} FROM plans JOIN ("
            "  SELECT code, product_id, location_id FROM series"
            f" UNION SELECT code, product_id, {literal(EVERY_LOCATION)} FROM series) USING (location_id, product_id) "
            "WHERE known_on <= $as_of AND ends_on >= $first_day "
            f"AND starts_on <= $as_of + {self.window.ahead_days}"
        )
        for code, first, last, known, *meant in self.rows(query):
            for name, chosen in zip(kinds, meant, strict=True):
                _place(planned[name], code[chosen], np.maximum(first, known)[chosen], last[chosen], known[chosen])
        return planned


@contextmanager
def reader(snapshot: Snapshot) -> Iterator[tuple[duckdb.DuckDBPyConnection, frozenset[str]]]:
    """A connection with a view per table of the snapshot that figures are read from, and which of them it holds."""
    held = frozenset(table for table in TABLES if snapshot.holds(table))
    with duckdb.connect(config={"memory_limit": memory_limit()}) as engine:
        for table in sorted(held):
            files = literal(snapshot.files(table))
            engine.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)")
        yield engine, held


def ranged_days(cells: Cells, launch: Numbers, sold: Real) -> tuple[Bools | None, Numbers]:
    """Which days each series was on offer, and the day number of its launch, its first sale or listing.

    `launch` are first sales, `sold` units by day. A day with a sale was on offer whatever the listings say. None where
    no listings are given; a series that they leave out is on offer from its launch on.
    """
    found = cells.listed()
    if found is None:
        return None, launch
    ranged, first_listing = found
    unlisted = first_listing == np.iinfo(np.int64).max
    launch = np.minimum(launch, np.maximum(first_listing, day_number(cells.window.first_day)))
    since = np.arange(cells.window.days) >= (launch - day_number(cells.window.first_day))[:, None]
    return np.where(unlisted[:, None], since, ranged) | (sold > 0), launch


def _for_series(table: str, columns: str) -> str:
    """SQL of the rows of each series begun by $as_of: its location's own where it has any, else those for 'all'."""
    begun = f"(SELECT * FROM {table} WHERE starts_on <= $as_of)"
    own = f"SELECT code, {columns} FROM series JOIN {begun} USING (product_id, location_id)"
    return (
        f"{own} UNION ALL SELECT code, {columns} FROM series JOIN (SELECT * FROM {begun} "
        f"WHERE location_id = {literal(EVERY_LOCATION)}) AS given USING (product_id) "
        f"WHERE code NOT IN (SELECT code FROM ({own}))"
    )


def _shelf_prices() -> str:
    """SQL of the shelf prices of each series: its location's own from the first on, before it those for 'all'."""
    given = "(SELECT * FROM prices WHERE starts_on <= $as_of AND price IS NOT NULL)"
    own = f"SELECT code, starts_on, price FROM series JOIN {given} USING (product_id, location_id)"
    return (
        f"SELECT code, starts_on AS day, price::DOUBLE AS price, {SHELF}::TINYINT AS origin FROM ({own} UNION ALL "
        f"SELECT code, starts_on, price FROM series JOIN (SELECT * FROM {given} WHERE location_id = "
        f"{literal(EVERY_LOCATION)}) AS shared USING (product_id) LEFT JOIN (SELECT code, min(starts_on) AS since "
        f"FROM ({own}) GROUP BY code) USING (code) WHERE since IS NULL OR starts_on < since)"
    )


def _place(matrix: Short, code: Any, first: Any, last: Any, known: Any) -> None:
    """Write day - known into every day from `first` to `last`; where plans overlap the one known longest counts."""
    width = matrix.shape[1]
    first, last = np.maximum(first, 0), np.minimum(last, width - 1)
    for step in range(int((last - first).max(initial=-1)) + 1):
        inside = first + step <= last
        place = first[inside] + step
        lead = np.minimum(place - known[inside], np.iinfo(np.int16).max).astype(np.int16)
        np.maximum.at(matrix, (code[inside], place), lead)
