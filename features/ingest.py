"""Ingest: every export of a recipe into one immutable snapshot of the workspace."""

import hashlib
import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis

from features.calendar import public_calendar
from features.engine import Engine, engine_in, told
from features.errors import SourceError, TableError, WorkspaceError
from features.identity import customers_from
from features.intake import Door, Taken, take_in
from features.progress import Progress, silent
from features.quarantine import write_quarantine
from features.sources import Intake
from features.unify import demand_history, purchase_history, unified_lines
from features.workspace import UNFINISHED, Snapshot, Workspace, finish
from features.writing import write_bulk, write_months, write_table

CALENDAR_AHEAD_DAYS = 400
SNAPSHOT_FACTS = "snapshot.json"


def ingest(
    intake: Intake, workspace: Workspace, progress: Progress = silent, *, latest_day: date | None = None
) -> Snapshot:
    """Read every source of `intake` and publish the result as the workspace's current snapshot.

    Rows dated after `latest_day` go to the quarantine; without it every date from the recipe's oldest_day on is
    believed. The same input gives the same bytes. Raises SourceError, RecipeError, WorkspaceError or
    WorkspaceBusy, and then the workspace is as it was.
    """
    with workspace.writing("ingest"), told(f"the workspace {workspace.folder}", WorkspaceError):
        scratch = workspace.unfinished("scratch", "ingest")
        with engine_in(scratch) as engine:
            return _Ingest(engine, intake, workspace, progress, latest_day).run()


class _Ingest:
    """One ingest under way."""

    def __init__(
        self, engine: Engine, intake: Intake, workspace: Workspace, progress: Progress, latest_day: date | None
    ) -> None:
        self.engine, self.intake, self.workspace, self.progress = engine, intake, workspace, progress
        self.door = Door(engine, intake, latest_day)
        self.number = _next_number(workspace)
        self.folder = workspace.unfinished("history", self.number)
        self.rows: dict[str, int] = {}
        self.merged: dict[str, Any] = {}

    def run(self) -> Snapshot:
        taken = self._take_in()
        self._write_history(taken)
        self._write_described(taken)
        first, last = self._days()
        self._write_calendar(first, last)
        self._write_facts(taken, first, last)
        return self._publish(taken)

    def _take_in(self) -> list[Taken]:
        taken = []
        with self.progress.step("read exports", len(self.intake.sources)) as step:
            for name in self.intake.sources:
                taken.append(take_in(self.door, name))
                step.advance()
        _check_purchases(taken)
        return self._merge(taken)

    def _merge(self, taken: list[Taken]) -> list[Taken]:
        """Put the sources of each table together; of a key that several give, the first source's row counts."""
        merged = []
        for given in taken:
            source, table, rows = given, given.table.name, given.kept
            if table != "order_lines" and table in self.merged:
                key = list(source.table.key)
                fresh = rows.anti_join(self.merged[table], key)
                source = source.with_kept(fresh, self._count(fresh))
                self.merged[table] = self.merged[table].union(fresh)
            elif table != "order_lines":
                self.merged[table] = rows
            merged.append(source)
        return merged

    def _count(self, rows: Any) -> int:
        return int(self.engine.rows(self.engine.ibis.compile(rows.count()))[0][0])

    def _write_history(self, taken: list[Taken]) -> None:
        with self.progress.step("write history", 3) as step:
            lines = unified_lines([source for source in taken if source.table.name == "order_lines"], self.intake)
            lines = self.engine.keep("lines", lines)
            _check_sum("order_lines", self._count(lines), taken)
            history = self.engine.keep("history", purchase_history(lines, self.intake))
            self._months("purchase_history", history, ["day", "order_id", "product_id"])
            step.advance()
            self._table("customers", customers_from(lines, self.intake.identity), ["customer_id"])
            step.advance()
            demand = demand_history(history, self.merged.get("plans"), self.merged.get("stock"))
            self._months("demand_history", self.engine.keep("demand", demand), ["day", "location_id", "product_id"])
            step.advance()

    def _write_described(self, taken: list[Taken]) -> None:
        with self.progress.step("write tables", 5) as step:
            for table, day in (("plans", "starts_on"), ("stock", "day")):
                rows = self.merged.get(table)
                if rows is not None:
                    self.rows[table] = write_bulk(self.engine, rows, self.folder / table, day)
                    _check_sum(table, self.rows[table], taken)
                step.advance()
            for table, key in (
                ("catalog", "product_id"),
                ("supply_terms", "location_id"),
                ("locations", "location_id"),
            ):
                rows = self.merged.get(table)
                self._table(table, self._every_location(rows) if table == "locations" else rows, [key])
                if table in self.rows and table != "locations":
                    _check_sum(table, self.rows[table], taken)
                step.advance()

    def _every_location(self, given: Any | None) -> Any:
        """The locations given, and those that only purchases name."""
        seen = self.engine.ibis.table("history").select("location_id").distinct()
        bare = seen.mutate(name=ibis.null("string"), kind=ibis.literal("store"), region=ibis.null("string"))
        return bare if given is None else given.union(bare.anti_join(given, "location_id"))

    def _write_calendar(self, first: date, last: date) -> None:
        public = public_calendar(self.intake.retailer, first, last + timedelta(days=CALENDAR_AHEAD_DAYS))
        self.engine.ibis.create_table("public_calendar", public)
        rows = self.engine.ibis.table("public_calendar")
        given = self.merged.get("calendar")
        self._table("calendar", rows if given is None else given.union(rows.anti_join(given, ["region", "day"])),
                    ["region", "day"])  # fmt: skip

    def _table(self, table: str, rows: Any | None, order: list[str]) -> None:
        if rows is not None:
            self.rows[table] = write_table(self.engine, rows, self.folder / table, order)

    def _months(self, table: str, rows: Any | None, order: list[str], day: str = "day") -> None:
        if rows is not None:
            self.rows[table] = write_months(self.engine, rows, self.folder / table, order, day)

    def _days(self) -> tuple[date, date]:
        first, last = self.engine.rows("SELECT min(day), max(day) FROM history")[0]
        return first, last

    def _write_facts(self, taken: list[Taken], first: date, last: date) -> None:
        facts = {
            "retailer": self.intake.retailer.model_dump(mode="json"),
            "currency": self.intake.retailer.currency,
            "recipe": self.intake.model_dump(mode="json", exclude={"folder"}),
            "first_day": first.isoformat(),
            "last_day": last.isoformat(),
            "sources": {source.name: {"table": source.table.name, **asdict(source.counts)} for source in taken},
            "rows": self.rows,
        }
        (self.folder / SNAPSHOT_FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), "utf-8")

    def _publish(self, taken: list[Taken]) -> Snapshot:
        """Name the snapshot by its place in the sequence and its content; the quarantine goes first."""
        version = f"{self.number}-{_content(self.folder)}"
        refused = self.workspace.unfinished("quarantine", version)
        for source in taken:
            write_quarantine(self.engine, source, refused)
        finish(refused)
        return self.workspace.publish(self.folder.rename(self.folder.with_name(UNFINISHED + version)))


def _check_purchases(taken: list[Taken]) -> None:
    lines = [source for source in taken if source.table.name == "order_lines"]
    if any(source.counts.kept for source in lines):
        return
    for source in lines:
        reasons = ", ".join(f"{reason} ({rows})" for reason, rows in source.counts.reasons.items()) or "it has no rows"
        raise SourceError(
            f"sources.{source.name}: no purchase can be used of {source.counts.read} rows read: {reasons}"
        )


def _check_sum(table: str, rows: int, taken: list[Taken]) -> None:
    """No row may be lost or doubled on the way: what is written is what the sources' counts say."""
    kept = sum(source.counts.kept for source in taken if source.table.name == table)
    if rows != kept:
        raise TableError(
            f"{table}: {kept} rows were kept but {rows} written: report this with the recipe, it is a fault"
        )


def _next_number(workspace: Workspace) -> str:
    folder = workspace.folder / "history"
    numbers = [int(path.name[:6]) for path in folder.glob("[0-9]*") if path.name[:6].isdigit()]
    return f"{max(numbers, default=0) + 1:06d}"


def _content(folder: Path) -> str:
    """A short hash of every file of a snapshot."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:8]
