"""From one export to the rows of its table: every row read is kept, quarantined or a duplicate."""

from dataclasses import dataclass, replace
from typing import Any

from features.channels import Export, read_export
from features.duplicates import without_duplicates
from features.engine import Engine, told
from features.expressions import quoted
from features.joins import joined
from features.judging import CONTENT, ORIGINAL, REASON, Door, judged, needs_numbers
from features.sources import Source
from features.tables import SOURCE_TABLES, Table

BULK = {"plans", "stock"}  # tables by product, place and day: too large to be copied once more than needed

__all__ = ["CONTENT", "ORIGINAL", "REASON", "Counts", "Door", "Taken", "counted", "judged", "needs_numbers", "take_in"]


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one source; `reasons` counts the quarantined ones."""

    read: int
    kept: int
    quarantined: int
    duplicates: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Taken:
    """One source after its intake: `kept` is an Ibis table of its rows, `judged` of every row with its reason."""

    name: str
    table: Table
    kept: Any
    judged: Any
    export: Export
    counts: Counts

    def with_kept(self, kept: Any, rows: int) -> "Taken":
        """The same source with fewer rows kept; the others are duplicates of another source's."""
        more = self.counts.kept - rows
        counts = replace(self.counts, kept=rows, duplicates=self.counts.duplicates + more)
        return replace(self, kept=kept, counts=counts)


def take_in(door: Door, name: str) -> Taken:
    """Read the source `name` and judge its rows."""
    source = door.intake.sources[name]
    table = SOURCE_TABLES[source.table]
    export = joined(door.engine, name, source, read_export(door.engine, name, source, door.intake.folder),
                    door.intake.folder)  # fmt: skip
    with told(f"sources.{name}: cannot read {_named(export, source)}"):
        judged_rows = judged(door, name, export)
        found = (door.engine.view if table.name in BULK else door.engine.keep)(f"judged_{name}", judged_rows)
        rows, reasons = _reasons(door.engine, name)
    fine = found.filter(found[REASON].isnull()) if reasons else found
    with told(f"sources.{name}: cannot order its rows"):
        kept, duplicates = without_duplicates(door.engine, name, source, table, fine)
    for broken in export.broken:
        reasons[broken.reason] = reasons.get(broken.reason, 0) + 1
    counts = counted(rows + len(export.broken), duplicates, reasons)
    return Taken(name, table, kept.select(*table.column_names), found, export, counts)


def _named(export: Export, source: Source) -> str:
    return export.files[0] if len(export.files) == 1 else source.path


def _reasons(engine: Engine, name: str) -> tuple[int, dict[str, int]]:
    """How many rows were split and typed, and how many of them each reason refuses."""
    tally = dict(engine.rows(f"SELECT {REASON}, count(*) FROM {quoted(f'judged_{name}')} GROUP BY 1"))
    return sum(tally.values()), {reason: rows for reason, rows in tally.items() if reason is not None}


def counted(read: int, duplicates: int, reasons: dict[str, int]) -> Counts:
    """What became of `read` rows; ingest holds `kept` against the rows that it writes."""
    quarantined = sum(reasons.values())
    return Counts(read, read - quarantined - duplicates, quarantined, duplicates, dict(sorted(reasons.items())))
