"""Landing: every file of an export is read once, into one parquet file that never changes.

A landed file holds one row per row of the export, in its order (a large one whose days lie scattered: by day, with the
number that each row had): the columns of its table as the recipe maps them, why a row cannot be used, and then the row
as it came. It is named by the content of the export, by how it was mapped and by what its rows find in joined files, so
that the same content is never read twice and a killed ingest goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from features.channels import content_of, files_of, read_export
from features.channels.export import ROW, Export
from features.engine import Engine, told
from features.errors import RecipeError, SourceError, WorkspaceError
from features.expressions import literal, quoted
from features.join_digests import digests, write_keys
from features.joins import Beside, joined, read_joins
from features.judging import CONTENT, ORIGINAL, REASON, Door, judged, needs_numbers
from features.personal import hidden
from features.progress import Step
from features.sources import Source
from features.tables import SOURCE_TABLES, Table
from features.workspace import Workspace, finish
from features.writing import PARQUET
from features.zones import to_local

KEY = "onebasket_key"  # hash of what makes an order line the same line again
LANDED_FORM = 1  # raised whenever landed files are written otherwise
DAY_OF = {"stock": "day", "plans": "starts_on"}  # tables that are written by the month of a day
# Of a landed file that is read with its name: by a function that is computed once a file, not once a row.
LANDED_ID = r"regexp_extract(filename, '([^/\\]+)[/\\]rows[.]parquet$', 1)"
UNSORTED_SPAN = 4  # a file whose row groups overlap in days more than this often is sorted by day


@dataclass(frozen=True)
class Landed:
    """One file of an export, landed.

    `name` is its path below the data folder, `content` the hash of its bytes, `mark` its size and time on disk;
    `joined` stands for what its rows find in joined files, '' where there are none; `days` counts its usable rows by
    local day where its table has days; `first_line` as in Export.
    """

    source: str
    name: str
    content: str
    mapping: str
    joined: str
    mark: str
    rows: int
    reasons: dict[str, int]
    days: dict[str, int]
    numbered: bool
    first_line: int = 0

    @property
    def id(self) -> str:
        return landed_id(self.content, self.mapping, self.joined)

    @property
    def kept(self) -> int:
        return self.rows - sum(self.reasons.values())

    def parquet(self, workspace: Workspace) -> Path:
        return workspace.landed / self.source / self.id / "rows.parquet"

    def keys(self, workspace: Workspace) -> Path:
        """By what its rows ask joined files, where its source has some."""
        return workspace.landed / self.source / self.id / "keys.parquet"

    def broken(self, workspace: Workspace) -> Path:
        """Lines that are no rows, where there are any."""
        return workspace.landed / self.source / self.id / "broken.json"


def landed_id(content: str, mapping: str, joined: str) -> str:
    """The name of a landed file's folder."""
    return "-".join(part for part in (content[:16], mapping, joined[:8]) if part)


class Landing:
    """Lands the files of a recipe, beside those that an earlier ingest landed."""

    def __init__(
        self, door: Door, workspace: Workspace, before: Iterable[Landed], joins_before: Mapping[str, str]
    ) -> None:
        self.door, self.workspace = door, workspace
        self.engine: Engine = door.engine
        self.before: dict[str, list[Landed]] = {}
        for landed in before:
            self.before.setdefault(landed.source, []).append(landed)
        self._compiled: dict[tuple[str, str], str] = {}
        self._besides: dict[str, tuple[Beside, ...]] = {}
        self.joins: dict[str, str] = {}  # the joined files of each source as they are now
        self._joins_before = joins_before

    def count_files(self, names: Iterable[str]) -> int:
        """How many files the sources have."""
        return sum(len(self._files(name)) for name in names)

    def _files(self, name: str) -> list[Path]:
        """The files that a source has now; those read before may be gone, all of them too."""
        intake = self.door.intake
        try:
            return files_of(intake.sources[name].path, intake.folder, name)
        except SourceError as fault:
            if name in self.before and "there is no file" in str(fault):
                return []
            raise

    def land(self, name: str, mapping: str, step: Step) -> list[Landed]:
        """Every file that the source `name` has or had, in the order of their names.

        A file that is gone from its folder stays landed. Raises SourceError when its rows would have to be mapped
        anew and it is no longer there.
        """
        source = self.door.intake.sources[name]
        files = {self._name(file): file for file in self._files(name)}
        known = {landed.name: landed for landed in self.before.get(name, [])}
        gone = [landed for landed in known.values() if landed.name not in files]
        found = self._found(name, source, mapping, known.values())
        self._check_gone(name, gone, mapping)
        contents = {landed.content for landed in gone}
        kept = gone
        for label in sorted(files):
            of_label = known.get(label)
            if of_label is not None and found.get(of_label.id, of_label.joined) != of_label.joined:
                of_label = None  # its rows find something else in the joined files than before
            landed = self._landed(name, label, files[label], of_label, mapping)
            if landed.content not in contents:  # the same file under another name is the same file
                contents.add(landed.content)
                kept.append(landed)
            step.advance()
        return sorted(kept, key=lambda landed: landed.name)

    def _found(self, name: str, source: Source, mapping: str, known: Iterable[Landed]) -> dict[str, str]:
        """What files landed before find in the joined files now; nothing where those are as they were."""
        if not source.join:
            return {}
        folder = self.door.intake.folder
        marks = [f"{file.name}:{_mark(file)}" for join in source.join for file in files_of(join.path, folder, name)]
        self.joins[name] = hashlib.sha256(" ".join(marks).encode()).hexdigest()[:16]
        keys = {one.id: one.keys(self.workspace) for one in known if one.mapping == mapping}
        if self._joins_before.get(name) == self.joins[name] or not keys:
            return {}
        return digests(self.engine, name, self._joined_files(name), keys)

    def _joined_files(self, name: str) -> tuple[Beside, ...]:
        """The files laid beside a source, read once."""
        if name not in self._besides:
            source = self.door.intake.sources[name]
            self._besides[name] = read_joins(self.engine, name, source, self.door.intake.folder)
        return self._besides[name]

    def _name(self, file: Path) -> str:
        folder = self.door.intake.folder
        return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.as_posix()

    def _check_gone(self, name: str, gone: list[Landed], mapping: str) -> None:
        stale = [landed.name for landed in gone if landed.mapping != mapping]
        if stale:
            raise SourceError(
                f"sources.{name}: the recipe reads this export otherwise than before, and {', '.join(stale[:3])} is "
                "no longer there to be read again: put it back, or start a new workspace"
            )

    def _landed(self, name: str, label: str, file: Path, known: Landed | None, mapping: str) -> Landed:
        source = self.door.intake.sources[name]
        mark = _mark(file)
        if known is not None and known.mapping == mapping and mark and known.mark == mark:
            return known
        with told(f"sources.{name}: cannot read {file}"):
            content = content_of(self.engine, name, source, file)
        digest = self._digest(name, source, file)
        folder = self.workspace.landed / name / landed_id(content, mapping, digest)
        facts = folder / "facts.json"
        if not facts.is_file():
            self._read(name, file, folder)
        described = json.loads(facts.read_text("utf-8"))
        return Landed(source=name, name=label, content=content, mapping=mapping, joined=digest, mark=mark, **described)

    def _digest(self, name: str, source: Source, file: Path) -> str:
        """What the rows of a file find in the joined files; its keys are left in the scratch folder."""
        if not source.join:
            return ""
        read_export(self.engine, name, source, file, numbered=False)
        keys = self.engine.scratch / "keys.parquet"
        write_keys(self.engine, name, self._joined_files(name), keys)
        return digests(self.engine, name, self._joined_files(name), {"file": keys})["file"]

    def _read(self, name: str, file: Path, folder: Path) -> None:
        source = self.door.intake.sources[name]
        numbered = needs_numbers(self.door, name)
        export = read_export(self.engine, name, source, file, numbered=numbered)
        export = joined(name, export, self._joined_files(name))
        unfinished = self.workspace.unfinished(f"landed/{name}", folder.name)
        rows = unfinished / "rows.parquet"
        with told(f"sources.{name}: cannot read {file}"):
            self._copy(self._sql(name, source, self._widened(name, source, export)), rows)
        table = SOURCE_TABLES[source.table]
        day = _day_column(table)
        if day and not export.numbered and _is_unsorted(rows, day):
            _sort(self.engine, rows, day)
            numbered = True
        facts = self._facts(rows, day, export) | {"numbered": numbered, "first_line": export.first_line}
        if source.join:
            (self.engine.scratch / "keys.parquet").rename(unfinished / "keys.parquet")
        if export.broken:
            country = self.door.intake.retailer.country
            broken = [asdict(line) | {"text": hidden(line.text, country)} for line in export.broken]
            (unfinished / "broken.json").write_text(json.dumps(broken, ensure_ascii=False), "utf-8")
        (unfinished / "facts.json").write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
        finish(unfinished)

    def _sql(self, name: str, source: Source, export: Export) -> str:
        """The query that maps the view of an export; the same for every file with the same columns."""
        known = (name, str(export.table.schema()))  # types too may differ from file to file
        if known not in self._compiled:
            table = SOURCE_TABLES[source.table]
            rows = judged(self.door, name, export)
            query = self.engine.ibis.compile(rows)
            if table.name == "order_lines":
                local = to_local("ordered_at", self.door.intake.retailer.time_zone, self.door.span)
                query = (
                    f"SELECT * EXCLUDE ({CONTENT}, source), CAST({local} AS DATE) AS day, CASE WHEN "
                    f"source_line_id IS NOT NULL "
                    f"THEN hash(source_line_id) ELSE hash({CONTENT}, 1) END AS {KEY} FROM ({query})"
                )
            self._compiled[known] = query
        return self._compiled[known]

    def _widened(self, name: str, source: Source, export: Export) -> Export:
        """The export with null for columns that it lacks and another file of its source has."""
        if (name, str(export.table.schema())) in self._compiled:
            return export
        try:
            self._sql(name, source, export)
        except RecipeError:
            others = files_of(source.path, self.door.intake.folder, name)
            known = dict.fromkeys(
                column
                for file in others
                for column in read_export(self.engine, name, source, file, numbered=False).columns
            )
            lacking = [column for column in known if column not in export.columns]
            again = read_export(self.engine, name, source, Path(export.file), numbered=export.numbered)
            again = joined(name, again, self._joined_files(name))
            table = again.table.mutate(**{column: ibis.null("string") for column in lacking})
            return replace(export, table=table, columns=(*export.columns, *lacking))
        return export

    def _copy(self, query: str, rows: Path) -> None:
        self.engine.run(f"COPY ({query}) TO {literal(str(rows))} ({PARQUET})")

    def _facts(self, rows: Path, day: str | None, export: Export) -> dict[str, Any]:
        read = f"read_parquet({literal(str(rows))})"
        tally = dict(self.engine.rows(f"SELECT {REASON}, count(*) FROM {read} GROUP BY 1"))
        export.check(sum(tally.values()))
        total = sum(tally.values()) + len(export.broken)
        reasons = {reason: count for reason, count in tally.items() if reason is not None}
        for line in export.broken:
            reasons[line.reason] = reasons.get(line.reason, 0) + 1
        days: dict[str, int] = {}
        if day:
            days = {
                str(when): count
                for when, count in self.engine.rows(
                    f"SELECT {day}, count(*) FROM {read} WHERE {REASON} IS NULL GROUP BY 1 ORDER BY 1"
                )
            }
        return {"rows": total, "reasons": dict(sorted(reasons.items())), "days": days}


def _day_column(table: Table) -> str | None:
    return "day" if table.name == "order_lines" else DAY_OF.get(table.name)


def _mark(file: Path) -> str:
    """Size and time of a file on disk, from which it is known again without reading it; '' for what is no file."""
    if not file.is_file():
        return ""
    found = file.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def _is_unsorted(rows: Path, day: str) -> bool:
    """Whether a day's rows lie in many row groups, so that reading a few days would read most of the file."""
    facts = pq.read_metadata(rows)
    if facts.num_row_groups < UNSORTED_SPAN:
        return False
    place = facts.schema.to_arrow_schema().get_field_index(day)
    spans: list[int] = []
    days: set[date] = set()
    for group in range(facts.num_row_groups):
        found = facts.row_group(group).column(place).statistics
        if found is not None and found.has_min_max:
            spans.append((found.max - found.min).days + 1)
            days |= {found.min, found.max}
    whole = (max(days) - min(days)).days + 1 if days else 1
    return sum(spans) > UNSORTED_SPAN * whole + len(spans)


def _sort(engine: Engine, rows: Path, day: str) -> None:
    """Lay a landed file by day, with the number that each row had."""
    ordered = rows.with_name("sorted.parquet")
    with told(f"sorting {rows.name}", WorkspaceError):
        engine.run(
            f"COPY (SELECT * EXCLUDE (file_row_number), file_row_number AS {ROW} FROM "
            f"read_parquet({literal(str(rows))}, file_row_number = true) ORDER BY {quoted(day)}, {ROW}) "
            f"TO {literal(str(ordered))} ({PARQUET})"
        )
    ordered.replace(rows)


def mapping_of(intake_settings: dict[str, Any], *known: str) -> str:
    """A short hash of everything that decides how the rows of a source are mapped."""
    content = json.dumps([LANDED_FORM, intake_settings, *known], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def rows_sql(landed: Iterable[Landed], workspace: Workspace, columns: str = "*", where: str = "true") -> str:
    """SQL of the usable rows of landed files, each with its `onebasket_file` (the landed id) and ROW."""
    parts = []
    for numbered in (False, True):
        files = [str(one.parquet(workspace)) for one in landed if one.numbered == numbered]
        if not files:
            continue
        listed = "[" + ", ".join(map(literal, files)) + "]"
        row = ROW if numbered else f"file_row_number AS {ROW}"
        hidden = "" if columns != "*" else f" EXCLUDE ({REASON}, {ORIGINAL}, filename, " + \
            (f"{ROW}" if numbered else "file_row_number") + ")"  # fmt: skip
        parts.append(
            f"SELECT {columns}{hidden}, {LANDED_ID} AS onebasket_file, {row} FROM read_parquet({listed}, "
            f"filename = true, file_row_number = true, union_by_name = true, hive_partitioning = false) "
            f"WHERE {REASON} IS NULL AND {where}"
        )
    return " UNION ALL ".join(parts)
