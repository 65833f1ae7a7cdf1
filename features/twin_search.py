"""Finds and decides twins for a snapshot: only orders that came, went, or may be another's twin now are looked at."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

import ibis

from features.engine import SHARED, Engine
from features.expressions import file_literal
from features.ledger import Ledger
from features.lines import Lines
from features.orders import order_headers
from features.partitions import Layout, Partitioned, chunks
from features.progress import Step
from features.twin_decisions import twins
from features.twins import NUMBER_DAYS, shared_evidence, twin_candidates
from features.writing import write_table

HEADERS, PAIRS = "ledger/orders", "ledger/twin_pairs"
PAIR_ORDER = ["day", "order_id", "candidate_day", "candidate_order_id", "evidence"]
CHUNK_LINES = 2_000_000
NO_DAY = "DATE '1900-01-01'"


class TwinSearch:
    """Writes the order headers, the candidate pairs and the table order_twins of a snapshot."""

    def __init__(self, engine: Engine, lines: Lines, ledger: Ledger, former: Ledger | None, parts: Partitioned) -> None:
        self.engine, self.lines, self.ledger, self.former, self.parts = engine, lines, ledger, former, parts
        self.counts = ledger.lines(lines.intake.of_table("order_lines"))

    def run(self, touched: Collection[date], links: str | None, step: Step) -> set[date]:
        """Decide the twins anew where lines of `touched` days changed; returns the days with other decisions.

        `links` is a relation of identity links (account_id, value_hash, linked_on), None where there are none; those
        that are others than in the former snapshot stand in the relation moved_links, as they are and as they were.
        """
        self.engine.run(
            "CREATE OR REPLACE TEMP TABLE dropped_orders (order_id VARCHAR, day DATE, kept_order_id VARCHAR)"
        )
        if not self.lines.several:
            return set()
        days = self._widened(touched)
        for group in chunks(days, self.counts, CHUNK_LINES, self.parts.form):
            self._write_headers(group)
            step.advance(0)
        self._link(HEADERS, days)
        asked = self._widened(self._asked(touched))
        for group in chunks(asked, self.counts, CHUNK_LINES, self.parts.form):
            self._write_pairs(group, links)
            step.advance(0)
        self._link(PAIRS, asked)
        return self._decide(asked)

    def _widened(self, days: Collection[date]) -> set[date]:
        return self.parts.form.widened(days, self.parts.former) if self.former is not None else set(days)

    def _link(self, table: str, days: Collection[date]) -> None:
        if self.former is not None:
            self.parts.link(table, days, self.former.rows.get(table, {}))

    def _write_headers(self, days: list[date]) -> None:
        self.engine.run(
            f"CREATE OR REPLACE TEMP VIEW order_lines_of AS {self.lines.sql(days[0], days[-1], for_twins=True)}"
        )
        headers = order_headers(self.engine.ibis.table("order_lines_of"))
        self.engine.share("chunk_headers", self.engine.ibis.compile(headers))
        self.parts.write(HEADERS, f"{SHARED}.chunk_headers", days, Layout(["day", "order_id"]), shared=True)

    def _asked(self, touched: Collection[date]) -> set[date]:
        """Days with orders that may have become twins, or may be none any more."""
        if self.former is None:
            return set(self.counts)
        asked = {day + timedelta(days=later) for day in touched for later in range(NUMBER_DAYS + 2)}
        asked |= self._days_of_moved_links()
        return asked & (set(self.counts) | set(touched))

    def _days_of_moved_links(self) -> set[date]:
        """Days on which accounts ordered that share, or shared, evidence which came, went or changed its day."""
        files = self._files(HEADERS)
        if not files:
            return set()
        rows = self.engine.rows(
            f"WITH moved AS (SELECT value_hash, min(coalesce(linked_on, {NO_DAY})) AS since FROM moved_links "
            "GROUP BY 1), holders AS (SELECT account_id, min(since) AS since FROM moved_links JOIN moved USING "
            f"(value_hash) GROUP BY 1) SELECT DISTINCT day FROM {files} JOIN holders ON asker = holders.account_id "
            "WHERE day >= since"
        )
        return {row[0] for row in rows}

    def _files(self, table: str, first: date | None = None, last: date | None = None) -> str:
        """The partitions of a table that hold days from `first` to `last`, as a relation."""
        names = self.ledger.rows.get(table, {})
        if first is not None and last is not None:
            inside = [first + timedelta(days=step) for step in range((last - first).days + 1)]
            wanted = {self.parts.form.file(start) for start, _ in self.parts.form.partitions(inside)}
            names = {name: rows for name, rows in names.items() if name in wanted}
        listed = ", ".join(file_literal(self.parts.folder / table / name) for name in sorted(names))
        return f"read_parquet([{listed}], hive_partitioning = false)" if listed else ""

    def headers(self) -> str:
        """Every order header, as a relation with a name."""
        self.engine.run(f"CREATE OR REPLACE TEMP VIEW every_header AS SELECT * FROM {self._files(HEADERS)}")
        return "every_header"

    def _write_pairs(self, days: list[date], links: str | None) -> None:
        first = days[0] - timedelta(days=NUMBER_DAYS + 1)  # hours of 30 days may lie on 31 where summer begins
        files = self._files(HEADERS, first, days[-1])
        if not files:
            return
        self.engine.run(
            f"CREATE OR REPLACE TEMP VIEW context_headers AS SELECT * FROM {files} WHERE day >= DATE '{first}'"
        )
        headers = self.engine.ibis.table("context_headers").mutate(customer_id=ibis._.asker)
        evidence = shared_evidence(self.engine.ibis.table(links), self.lines.intake.identity) if links else None
        pairs = twin_candidates(headers, self.lines.intake.orders, evidence)
        self.engine.share(
            "chunk_pairs",
            f"SELECT * FROM ({self.engine.ibis.compile(pairs)}) "
            f"WHERE day BETWEEN DATE '{days[0]}' AND DATE '{days[-1]}'",
        )
        self.parts.write(PAIRS, f"{SHARED}.chunk_pairs", days, Layout(PAIR_ORDER), shared=True)

    def _decide(self, asked: Collection[date]) -> set[date]:
        """Write order_twins and make the table dropped_orders; returns the days that drop other orders than before."""
        before = self.parts.before / "order_twins" / "part.parquet" if self.parts.before is not None else None
        former = str(before) if before is not None and before.is_file() else None
        since = min(asked, default=None) if former else None
        pairs = self._files(PAIRS)
        if not pairs:
            return self._changed(former, "SELECT NULL::VARCHAR, NULL::DATE, NULL::VARCHAR WHERE false")
        later = f" WHERE day >= DATE '{since}'" if since else ""
        self.engine.run(f"CREATE OR REPLACE TEMP VIEW every_pair AS SELECT * FROM {pairs}{later}")
        decided = self._standing(former) if former else None
        found = twins(self.engine, self.engine.ibis.table("every_pair"), decided, since)
        if decided is not None and since is not None:
            found = decided.filter(decided.day < since).union(found.select(*decided.columns))
        rows = self.engine.keep("order_twins", found)
        count = write_table(self.engine, rows, self.parts.folder / "order_twins", ["day", "order_id"])
        self.ledger.rows["order_twins"] = {"part.parquet": count}
        self.engine.run(
            "INSERT INTO dropped_orders SELECT order_id, day, kept_order_id FROM order_twins "
            "WHERE kept_order_id IS NOT NULL"
        )
        return self._changed(former, "SELECT order_id, day, kept_order_id FROM order_twins")

    def _standing(self, former: str) -> Any:
        self.engine.run(
            f"CREATE OR REPLACE TEMP VIEW former_twins AS SELECT * FROM read_parquet({file_literal(former)})"
        )
        return self.engine.ibis.table("former_twins")

    def _changed(self, former: str | None, now: str) -> set[date]:
        if self.former is None:
            return set()  # everything is made anew as it is
        old = "SELECT NULL::VARCHAR AS order_id, NULL::DATE AS day, NULL::VARCHAR AS kept_order_id WHERE false"
        if former is not None:
            old = f"SELECT order_id, day, kept_order_id FROM read_parquet({file_literal(former)})"
        rows = self.engine.rows(
            f"SELECT DISTINCT day FROM ((({old}) EXCEPT ({now})) UNION ALL (({now}) EXCEPT ({old})))"
        )
        return {row[0] for row in rows}
