"""What became of an order: every delivered version of its lines, and all that was made of them.

Reads what an ingest wrote, and changes nothing. Files are searched by the order's number with the filter pushed into
them; the tables of a snapshot only in the partitions of the days that the order's lines name.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads

from features.engine import Engine
from features.errors import HistoryError
from features.expressions import file_literal, literal
from features.ledger import Ledger
from features.trace_lines import LandedRows, Version, versions_of
from features.workspace import Snapshot, Workspace

Row = dict[str, Any]
FEW_LINES = 10_000_000  # of so few lines every order number is compared with one that is not found
CLOSE = 3  # numbers offered
NEIGHBOURS = 2_000


@dataclass(frozen=True)
class Customer:
    """Whose an account of the order is, and the joins that lead from the account to the customer."""

    account_id: str
    channel: str
    customer_id: str
    joins: tuple[Row, ...]


@dataclass(frozen=True)
class Trace:
    """One order of one source.

    versions   every delivered version of its lines
    twin       its row of order_twins: which order stands for it, or why it was left
    stands_for rows of order_twins of orders that it stands for
    customers  whose its accounts are
    history    its rows of purchase_history; of the order that stands for it where it is a twin
    demand     rows of demand_history that these are part of
    returns    rows of returns: what it gives back, and what was given back of it
    """

    order_id: str
    source: str
    order_number: str
    versions: tuple[Version, ...]
    twin: Row | None = None
    stands_for: tuple[Row, ...] = ()
    customers: tuple[Customer, ...] = ()
    history: tuple[Row, ...] = ()
    demand: tuple[Row, ...] = ()
    returns: tuple[Row, ...] = field(default=())


def trace(engine: Engine, workspace: Workspace, snapshot: Snapshot, order: str) -> list[Trace]:
    """What became of an order, by its unified number or that of a source; one entry per source that has the number.

    Raises HistoryError, with numbers that come close, where no file holds it.
    """
    ledger = Ledger.open(snapshot)
    if ledger is None:
        raise HistoryError(f"{snapshot.folder} does not say what it was made of: run onebasket ingest again")
    sources = [name for name, source in snapshot.facts["recipe"]["sources"].items() if source["table"] == "order_lines"]
    search = _Search(engine, workspace, snapshot, ledger, sources)
    found = [one for source, number in _numbers(order, sources) if (one := search.order(source, number)) is not None]
    if not found:
        raise HistoryError(search.unknown(order))
    return found


def _numbers(order: str, sources: Collection[str]) -> list[tuple[str, str]]:
    """(source, its number) that an order's number may mean: source:number first, then the number in every source."""
    source, colon, number = order.partition(":")
    named = [(source, number)] if colon and source in sources else []
    return named + [(source, order) for source in sources]


class _Search:
    """A snapshot opened to trace orders in it."""

    def __init__(
        self, engine: Engine, workspace: Workspace, snapshot: Snapshot, ledger: Ledger, sources: list[str]
    ) -> None:
        self.engine, self.snapshot, self.ledger, self.sources = engine, snapshot, ledger, sources
        self.erased = frozenset(ledger.erased)
        self.rows = {source: LandedRows(engine, workspace, snapshot, ledger.of(source)) for source in sources}

    def order(self, source: str, number: str) -> Trace | None:
        """The order of a source; None where no row names it."""
        order_id = f"{source}:{number}" if len(self.sources) > 1 else number
        twins = self._table("order_twins", f"order_id = {literal(order_id)}")
        dropped = {row["day"]: row["kept_order_id"] for row in twins if row["kept_order_id"] is not None}
        versions = versions_of(self.rows[source], number, dropped)
        if not versions:
            return None
        versions = self._kept_returns(order_id, [self._forgotten(one) for one in versions], set(dropped))
        naming = f"order_id = {literal(order_id)} OR sale_order_id = {literal(order_id)}"
        history = self._history(order_id, {one.day for one in versions if one.day and one.fate == "kept"})
        for row in twins:
            if row["kept_order_id"] is not None:
                history += self._history(row["kept_order_id"], {row["kept_day"]})
        return Trace(
            order_id=order_id, source=source, order_number=number, versions=tuple(versions),
            twin=twins[0] if twins else None,
            stands_for=tuple(self._table("order_twins", f"kept_order_id = {literal(order_id)}")),
            customers=tuple(self._customers(versions)), history=tuple(history), demand=tuple(self._demand(history)),
            returns=tuple(self._table("returns", naming)),
        )  # fmt: skip

    def _forgotten(self, version: Version) -> Version:
        """A version without its account, where that is to be forgotten."""
        account = version.channel_customer_id
        names = {account, f"{version.channel}:{account}"} if account is not None else set()
        gone = any(hashlib.md5(str(name).encode(), usedforsecurity=False).hexdigest() in self.erased for name in names)
        return replace(version, channel_customer_id=None) if gone else version

    def _kept_returns(self, order_id: str, versions: list[Version], days: set[date]) -> list[Version]:
        """The versions of a twin, of which returns are kept that the other system does not know."""
        own = {(row["day"], row["product_id"]) for row in self._history(order_id, days)} if days else set()
        return [
            replace(one, fate="kept", because=None)
            if one.fate == "twin" and (one.quantity or 0) <= 0 and (one.day, one.product_id) in own
            else one
            for one in versions
        ]

    def _history(self, order_id: str, days: Collection[date]) -> list[Row]:
        return self._of_days("purchase_history", days, f"order_id = {literal(order_id)}")

    def _demand(self, history: Iterable[Row]) -> list[Row]:
        cells = sorted({(row["demand_day"], row["demand_location_id"], row["product_id"]) for row in history})
        if not cells:
            return []
        listed = ", ".join(f"(DATE '{day}', {literal(place)}, {literal(product)})" for day, place, product in cells)
        return self._of_days("demand_history", {day for day, _, _ in cells},
                             f"(day, location_id, product_id) IN ({listed})")  # fmt: skip

    def _of_days(self, table: str, days: Collection[date], where: str) -> list[Row]:
        """Rows of a table in partitions, from those of `days` only."""
        names = partitions_of(self.ledger.rows.get(table, {}), days)
        listed = ", ".join(f"DATE '{day}'" for day in sorted(days))
        return self._read([self.snapshot.folder / table / name for name in names], f"day IN ({listed}) AND {where}")

    def _table(self, table: str, where: str) -> list[Row]:
        return self._read(sorted((self.snapshot.folder / table).rglob("*.parquet")), where)

    def _read(self, files: list[Path], where: str) -> list[Row]:
        if not files:
            return []
        listed = ", ".join(file_literal(file) for file in files)
        rows: list[Row] = self.engine.run(
            f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false) WHERE {where} ORDER BY ALL"
        ).to_arrow_table().to_pylist()  # fmt: skip
        return rows

    def _customers(self, versions: Iterable[Version]) -> list[Customer]:
        """Whose the accounts are. An account that was erased is not among them, whatever its files still hold."""
        shared = self.snapshot.facts["recipe"]["identity"]["account_numbers"] == "shared"
        named = {
            one.channel_customer_id if shared else f"{one.channel}:{one.channel_customer_id}"
            for one in versions if one.channel_customer_id is not None
        }  # fmt: skip
        if not named or not self.snapshot.holds("accounts"):
            return []
        listed = ", ".join(sorted(map(literal, named)))
        accounts = self._table("accounts", f"account_id IN ({listed})")
        return [
            Customer(row["account_id"], row["channel"], row["customer_id"],
                     tuple(self._joins(row["account_id"], row["customer_id"])))
            for row in accounts
        ]  # fmt: skip

    def _joins(self, account: str, customer: str) -> list[Row]:
        """The joins on the way from an account to the one that its customer is named by."""
        if account == customer or not self.snapshot.holds("identity_log"):
            return []
        mine = self.snapshot.read("accounts", pads.field("customer_id") == customer, ["account_id"])["account_id"]
        joins = self.snapshot.read("identity_log", pads.field("account_id").isin(mine.to_pylist())).to_pylist()
        joins.sort(key=lambda row: (row["joined_on"], row["account_id"], row["via_account_id"], row["value_hash"]))
        return way(joins, account, customer)

    def unknown(self, order: str) -> str:
        close = self._close(order.partition(":")[2] if order.partition(":")[0] in self.sources else order)
        remedy = f"did you mean {', '.join(close)}?" if close else "write it as the export does, or as source:number"
        return f"no file holds an order {order!r} (sources {', '.join(self.sources)}): {remedy}"

    def _close(self, number: str) -> list[str]:
        found: list[tuple[float, str]] = []
        for source in self.sources:
            files = [str(one.parquet(self.rows[source].workspace)) for one in self.rows[source].files.values()]
            few = sum(one.rows for one in self.rows[source].files.values()) <= FEW_LINES
            near = self._alike(files, number) if few else self._neighbours(files, number)
            for rank, other in enumerate(get_close_matches(number, near, n=CLOSE)):
                found.append((rank, f"{source}:{other}" if len(self.sources) > 1 else other))
        return [name for _, name in sorted(found)[:CLOSE]]

    def _alike(self, files: list[str], number: str) -> list[str]:
        """The order numbers that take fewest changes to become `number`."""
        listed = ", ".join(map(literal, files))
        rows = self.engine.rows(
            f"SELECT order_id FROM (SELECT DISTINCT order_id FROM read_parquet([{listed}], hive_partitioning = false)) "
            f"WHERE order_id IS NOT NULL ORDER BY levenshtein(order_id, {literal(number)}), order_id LIMIT {CLOSE}"
        )
        return [row[0] for row in rows]

    def _neighbours(self, files: list[str], number: str) -> list[str]:
        """Order numbers that begin like `number`; a range, so that most of the files is skipped."""
        listed = ", ".join(map(literal, files))
        for length in range(len(number) - 1, max(len(number) // 2, 1) - 1, -1):
            first, last = number[:length], number[:length] + chr(0x10FFFF)
            rows = self.engine.rows(
                f"SELECT DISTINCT order_id FROM read_parquet([{listed}], hive_partitioning = false) WHERE "
                f"order_id >= {literal(first)} AND order_id < {literal(last)} ORDER BY 1 LIMIT {NEIGHBOURS}"
            )
            if rows:
                return [row[0] for row in rows]
        return []


def partitions_of(names: Iterable[str], days: Collection[date]) -> list[str]:
    """The files among the partitions of a table that hold `days`.

    >>> partitions_of(["month=2024-02/part.parquet", "month=2024-03/day-01.parquet"], [date(2024, 3, 1)])
    ['month=2024-03/day-01.parquet']
    """
    wanted = {f"month={day:%Y-%m}/part.parquet" for day in days}
    wanted |= {f"month={day:%Y-%m}/day-{day:%d}.parquet" for day in days}
    return sorted(wanted & set(names))


def way(joins: list[Row], start: str, end: str) -> list[Row]:
    """The joins that lead from one account to another, in that order; the shortest way."""
    reached: dict[str, list[Row]] = {start: []}
    edge = [start]
    while edge and end not in reached:
        following: list[str] = []
        for join in joins:
            for here, there in ((join["account_id"], join["via_account_id"]),
                                (join["via_account_id"], join["account_id"])):  # fmt: skip
                if here in edge and there not in reached:
                    reached[there] = [*reached[here], join]
                    following.append(there)
        edge = following
    return reached.get(end, [])
