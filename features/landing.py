"""Landing: every file of an export is read once, into one parquet file that never changes.

A landed file holds one row per row of the export, in its order (a large one whose days lie scattered: by day, with the
number that each row had): the columns of its table as the recipe maps them, why a row cannot be used, and then the row
as it came. It is named by the content of the export, by how it was mapped and by what its rows find in joined files, so
that the same content is never read twice and a killed ingest goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

import ibis
import pyarrow.parquet as pq

from features.casts import SQL_TYPES
from features.channels import content_of, files_of, read_export
from features.channels.export import ROW, Export
from features.engine import Engine, told
from features.errors import RecipeError, SourceError, WorkspaceError
from features.expressions import KEYED_HASH, file_literal, literal, quoted
from features.join_digests import write_found
from features.joins import joined
from features.judging import CONTENT, DATED, FUTURE, ORIGINAL, REASON, Door, judged, needs_numbers
from features.landed import Landed, alike, mark_of, name_of
from features.lookups import Lookups
from features.personal import MASK, hidden
from features.progress import Step
from features.rule_digests import asks, write_asked
from features.sources import Source
from features.tables import SOURCE_TABLES, Table
from features.workspace import UNFINISHED, Workspace, finish
from features.writing import PARQUET
from features.zones import to_local

KEY = "onebasket_key"  # hash of what makes an order line the same line again
LANDED_FORM = 4  # raised whenever landed files are written otherwise
# what a folder says of itself
FACTS = ("rows", "reasons", "days", "numbered", "first_line", "asked", "first_late", "unmapped")
DATED_BY = {"order_lines": "day", "stock": "day"}  # of tables whose rows may lie in the future
TEXT = "VARCHAR"
DAY_OF = {"stock": "day", "plans": "starts_on"}  # tables that are written by the month of a day
# Of a landed file that is read with its name: by a function that is computed once a file, not once a row.
LANDED_ID = r"regexp_extract(filename, '([^/\\]+)[/\\]rows[.]parquet$', 1)"
UNSORTED_SPAN = 4  # a file whose row groups overlap in days more than this often is sorted by day


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
        self._narrow: set[tuple[str, ...]] = set()  # columns of files that lack some which the recipe names
        self._wide: dict[str, list[str]] = {}  # by source the columns of all its files, asked for where one lacks some
        self._folders: dict[str, list[str]] = {}  # of the source being landed: what is there, by content
        self.lookups = Lookups(door, workspace, self.before, joins_before)

    def count_files(self, names: Iterable[str]) -> int:
        """How many files the sources have."""
        return sum(len(self._files(name)) for name in names)

    def _files(self, name: str) -> list[Path]:
        """The files that a source has now; those read before may be gone, all of them too."""
        return self.lookups.there(self.door.intake.sources[name].path, name, may_lack=name in self.before)

    def land(self, name: str, mapping: str, step: Step) -> list[Landed]:
        """Every file that the source `name` has or had, in the order of their names.

        A file that is gone from its folder stays landed. Raises SourceError when its rows would have to be mapped
        anew and it is no longer there.
        """
        files = {name_of(file, self.door.intake.folder): file for file in self._files(name)}
        known = {landed.name: landed for landed in self.before.get(name, [])}
        gone = [landed for landed in known.values() if landed.name not in files]
        self._check_gone(name, gone, mapping)
        self._list_folders(name)
        stand = self.lookups.standing(name, mapping, known.values(), files)
        kept = [self._in_time(landed) or landed for landed in sorted(gone, key=lambda landed: landed.name)]
        for label in sorted(files):
            kept.append(self._landed(name, label, files[label], known.get(label), mapping, stand))
            step.advance()
        # the same content is one file: by the name that it has now, and the greatest where it has several
        once = {landed.content: landed for landed in kept}
        return sorted(once.values(), key=lambda landed: landed.name)

    def _list_folders(self, name: str) -> None:
        """Which landed files there are: an ingest that was killed left some that no ledger knows."""
        folder = self.workspace.landed / name
        self._folders = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            self._folders.setdefault(path.name[:16], []).append(path.name)

    def _check_gone(self, name: str, gone: list[Landed], mapping: str) -> None:
        stale = [landed.name for landed in gone if landed.mapping != mapping]
        if stale:
            raise SourceError(
                f"sources.{name}: the recipe reads this export otherwise than before, and {', '.join(stale[:3])} is "
                "no longer there to be read again: put it back, or start a new workspace"
            )

    def _landed(
        self, name: str, label: str, file: Path, known: Landed | None, mapping: str, stand: Mapping[str, Landed]
    ) -> Landed:
        source, mark = self.door.intake.sources[name], mark_of(file)
        if known is not None and known is stand.get(known.content) and mark and known.mark == mark:
            content = known.content
        else:
            _check_emptied(name, file, known)
            with told(f"sources.{name}: cannot read {file}"):
                content = content_of(self.engine, name, source, file)
        if content in stand and (timely := self._in_time(stand[content])) is not None:
            return replace(timely, name=label, mark=mark)
        joined = self._joined(name, source, file)
        found = self._left_behind(name, content, mapping, joined)
        if found is None:
            found = self._read(name, file, content, mapping, joined)
        return replace(found, name=label, mark=mark)

    def _left_behind(self, name: str, content: str, mapping: str, joined: str) -> Landed | None:
        """A file that was landed already though no ledger says so."""
        for folder in self._folders.get(content[:16], []):
            facts = self.workspace.landed / name / folder / "facts.json"
            if not facts.is_file():
                continue
            one = Landed(source=name, name="", content=content, mapping=mapping, joined=joined, mark="",
                         **json.loads(facts.read_text("utf-8")))  # fmt: skip
            if one.id != folder or (joined and not one.found(self.workspace).is_file()):
                continue
            if self.lookups.ruled_else(name, {one.id: one}):
                continue
            if (timely := self._in_time(one)) is not None:
                return timely
        return None

    def _in_time(self, one: Landed) -> Landed | None:
        """A landed file as of the latest day that can have happened: itself, or with rows whose day has come.

        None where it holds rows of later days as usable: the file has to be read again.
        """
        latest, day = self.door.latest_day, DATED_BY.get(self.door.intake.sources[one.source].table)
        if day is None:
            return one
        if latest is not None and max(one.days, default="") > latest.isoformat():
            return None
        if not one.first_late or (latest is not None and one.first_late > latest.isoformat()):
            return one
        return self._come(one, day)

    def _come(self, one: Landed, day: str) -> Landed:
        """Land a file once more, with the rows usable whose day has come."""
        latest = self.door.latest_day
        unfinished = self.workspace.unfinished(f"landed/{one.source}", one.content[:16])
        for file in one.parquet(self.workspace).parent.iterdir():
            if file.name not in {"rows.parquet", "facts.json"}:
                copyfile(file, unfinished / file.name)
        come = f"{_is_late(day)}" + (f" AND {day} <= DATE '{latest}'" if latest is not None else "")
        made = ", ".join(f"CASE WHEN {come} THEN NULL ELSE {column} END AS {column}" for column in (REASON, ORIGINAL))
        rows = file_literal(one.parquet(self.workspace))
        self._copy(f"SELECT * REPLACE ({made}) FROM read_parquet({rows})", unfinished / "rows.parquet")
        broken = json.loads((unfinished / "broken.json").read_text("utf-8")) if one.broken(self.workspace).is_file() \
            else []  # fmt: skip
        facts = self._facts(unfinished / "rows.parquet", one.source, [line["reason"] for line in broken])
        return self._finished(replace(one, **facts), unfinished)

    def _joined(self, name: str, source: Source, file: Path) -> str:
        """What the rows of a file find in the joined files; where they found it is left in the scratch folder."""
        if not source.join:
            return ""
        export = read_export(self.engine, name, source, file, numbered=False)
        if export.rows == 0:
            return ""
        folder = self.door.intake.folder
        return write_found(
            self.engine, name, self.lookups.joined_files(name), folder, self.engine.scratch / "found.parquet"
        )

    def _read(self, name: str, file: Path, content: str, mapping: str, joined: str) -> Landed:
        source = self.door.intake.sources[name]
        export = read_export(self.engine, name, source, file, numbered=needs_numbers(self.door, name))
        numbered = export.numbered and export.rows != 0
        unfinished = self.workspace.unfinished(f"landed/{name}", content[:16])
        rows = unfinished / "rows.parquet"
        with told(f"sources.{name}: cannot read {file}"):
            self._copy(self._query(name, source, export), rows)
        day = _day_column(SOURCE_TABLES[source.table])
        if day and not numbered and _is_unsorted(rows, day):
            _sort(self.engine, rows, day)
            numbered = True
        facts = self._facts(rows, name, [line.reason for line in export.broken])
        export.check(facts["rows"] - len(export.broken))
        asked = ""
        if asks(source) and export.rows != 0:
            write_asked(self.door, source, rows, unfinished / "asked.parquet")
            asked = self.lookups.ruled({"it": unfinished / "asked.parquet"})["it"]
        if joined:
            (self.engine.scratch / "found.parquet").rename(unfinished / "found.parquet")
        if export.broken:
            broken = [asdict(line) | {"text": self._shown(source, line.text)} for line in export.broken]
            (unfinished / "broken.json").write_text(json.dumps(broken, ensure_ascii=False), "utf-8")
        return self._finished(
            Landed(source=name, name="", content=content, mapping=mapping, joined=joined, mark="", numbered=numbered,
                   first_line=export.first_line, asked=asked, unmapped=_unmapped(source), **facts), unfinished,
        )  # fmt: skip

    def _shown(self, source: Source, text: str) -> str:
        """A line that is no row as it may be kept: nobody knows which part of it a secret would be."""
        table = SOURCE_TABLES[source.table]
        secret = any(column.kind == "secret" for column in table.columns) or any(
            KEYED_HASH in str(expression) for expression in source.columns.values()
        )
        return MASK if secret else hidden(text, self.door.intake.retailer.country)

    def _finished(self, one: Landed, unfinished: Path) -> Landed:
        """Give a landed file its name, now that it is known what it holds."""
        facts = {name: getattr(one, name) for name in FACTS}
        (unfinished / "facts.json").write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
        named = unfinished.with_name(UNFINISHED + one.id)
        rmtree(named, ignore_errors=True)
        finish(unfinished.rename(named))
        self._folders.setdefault(one.content[:16], []).append(one.id)
        return one

    def _query(self, name: str, source: Source, export: Export) -> str:
        if export.rows == 0:  # its columns may have no types, or it names none
            return _no_rows(source)
        export = joined(name, export, self.lookups.joined_files(name))
        return self._sql(name, source, self._widened(name, source, export))

    def _sql(self, name: str, source: Source, export: Export) -> str:
        """The query that maps the view of an export; the same for every file with the same columns."""
        known = (name, str(export.table.schema()))  # types too may differ from file to file
        if known not in self._compiled:
            table = SOURCE_TABLES[source.table]
            rows = judged(self.door, name, export)
            query = self.engine.ibis.compile(rows)
            if table.name == "order_lines":
                local = to_local("ordered_at", self.door.intake.retailer.time_zone, self.door.span)
                left_out = ", ".join([CONTENT, "source", *_unmapped(source)])
                query = (
                    f"SELECT * EXCLUDE ({left_out}), CAST({local} AS DATE) AS day, CASE WHEN "
                    f"source_line_id IS NOT NULL "
                    f"THEN hash(source_line_id) ELSE hash({CONTENT}, 1) END AS {KEY} FROM ({query})"
                )
            self._compiled[known] = query
        return self._compiled[known]

    def _widened(self, name: str, source: Source, export: Export) -> Export:
        """The export with null for columns that it lacks and another file of its source has."""
        if (name, str(export.table.schema())) in self._compiled:
            return export
        if (name, *export.columns) not in self._narrow:
            try:
                self._sql(name, source, export)
            except RecipeError:
                self._narrow.add((name, *export.columns))
            else:
                return export
        if name not in self._wide:
            self._wide[name] = self._every_column(name, source)
            export = read_export(self.engine, name, source, Path(export.file), numbered=export.numbered)
            export = joined(name, export, self.lookups.joined_files(name))
        lacking = [column for column in self._wide[name] if column not in export.columns]
        table = export.table.mutate(**{column: ibis.null("string") for column in lacking})
        return replace(export, table=table, columns=(*export.columns, *lacking))

    def _every_column(self, name: str, source: Source) -> list[str]:
        """The columns that any file of a source has, in the order in which they are met."""
        others = files_of(source.path, self.door.intake.folder, name)
        exports = (read_export(self.engine, name, source, file, numbered=False) for file in others)
        return list(dict.fromkeys(column for export in exports for column in export.columns))

    def _copy(self, query: str, rows: Path) -> None:
        self.engine.run(f"COPY ({query}) TO {literal(str(rows))} ({PARQUET})")

    def _facts(self, rows: Path, name: str, broken: list[str]) -> dict[str, Any]:
        """What a landed file of the source `name` holds; `broken` are the reasons of lines that are no rows."""
        table = self.door.intake.sources[name].table
        read, day = f"read_parquet({file_literal(rows)})", _day_column(SOURCE_TABLES[table])
        tally = dict(self.engine.rows(f"SELECT {REASON}, count(*) FROM {read} GROUP BY 1"))
        total = sum(tally.values()) + len(broken)
        reasons = {reason: count for reason, count in tally.items() if reason is not None}
        for reason in broken:
            reasons[reason] = reasons.get(reason, 0) + 1
        days: dict[str, int] = {}
        if day:
            days = {
                str(when): count
                for when, count in self.engine.rows(
                    f"SELECT {day}, count(*) FROM {read} WHERE {REASON} IS NULL GROUP BY 1 ORDER BY 1"
                )
            }
        late = ""
        if any(reason.endswith(FUTURE) for reason in reasons):
            late = str(self.engine.rows(f"SELECT min({day}) FROM {read} WHERE {_is_late(day or '')}")[0][0])
        return {"rows": total, "reasons": dict(sorted(reasons.items())), "days": days, "first_late": late}


def _is_late(day: str) -> str:
    """SQL of whether a row was refused because its day had not come; a rule of the recipe may use the same words."""
    written = " OR ".join(f"{REASON} = {literal(f'{column} {FUTURE}')}" for column in DATED.values())
    return f"({written}) AND {day} IS NOT NULL"


def _unmapped(source: Source) -> tuple[str, ...]:
    """The columns of order lines that a recipe says nothing of: the same in every row, they are not written."""
    if source.table != "order_lines":
        return ()
    names = SOURCE_TABLES[source.table].column_names
    return tuple(name for name in names if name not in source.columns and name not in {"source", "source_line_id"})


def _no_rows(source: Source) -> str:
    """A query of no rows in the columns of a landed file."""
    table = SOURCE_TABLES[source.table]
    columns = {column.name: SQL_TYPES[column.kind] for column in table.columns} | dict.fromkeys(
        (REASON, ORIGINAL), TEXT
    )
    if table.name == "order_lines":
        kept = {name: kind for name, kind in columns.items() if name not in {"source", *_unmapped(source)}}
        columns = kept | {"day": "DATE", KEY: "UBIGINT"}
    listed = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in columns.items())
    return f"SELECT {listed} WHERE false"


def _check_emptied(name: str, file: Path, known: Landed | None) -> None:
    """A file of 0 bytes is a day without rows, but not where it had some: that was a copy that broke off."""
    if known is not None and known.kept and file.is_file() and file.stat().st_size == 0:
        raise SourceError(
            f"sources.{name}: {file} is empty (0 bytes) and had {known.kept} rows before: export it again, or take "
            "them back by delivering its header alone (of JSON lines: one empty line)"
        )


def _day_column(table: Table) -> str | None:
    return "day" if table.name == "order_lines" else DAY_OF.get(table.name)


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
            f"read_parquet({file_literal(rows)}, file_row_number = true) ORDER BY {quoted(day)}, {ROW}) "
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
    for numbered, filled, of_one in alike(landed):
        listed = "[" + ", ".join(file_literal(one.parquet(workspace)) for one in of_one) + "]"
        row = ROW if numbered else f"file_row_number AS {ROW}"
        hidden = "" if columns != "*" else f" EXCLUDE ({REASON}, {ORIGINAL}, filename, " + \
            (f"{ROW}" if numbered else "file_row_number") + ")"  # fmt: skip
        parts.append(
            f"SELECT {columns}{hidden}, {LANDED_ID} AS onebasket_file, {row} FROM (SELECT *{filled} FROM "
            f"read_parquet({listed}, filename = true, file_row_number = true, union_by_name = true, "
            f"hive_partitioning = false)) WHERE {REASON} IS NULL AND {where}"
        )
    return " UNION ALL ".join(parts)


__all__ = ["DAY_OF", "KEY", "LANDED_ID", "Landed", "Landing", "mapping_of", "rows_sql"]
