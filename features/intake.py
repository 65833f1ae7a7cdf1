"""From one export to the rows of its table: every row read is kept, quarantined or a duplicate."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from features.casts import SQL_TYPES, UNREADABLE, cast, local_day
from features.channels import Whole, read_whole
from features.channels.export import FILE, ROW
from features.duplicates import without_duplicates
from features.engine import Engine, told
from features.expressions import Scalar, literal, quoted, scalar
from features.joins import joined, read_joins
from features.sources import Intake, Source
from features.tables import SOURCE_TABLES, Column, Table

REASON, ORIGINAL, REFUSED, CONTENT = "onebasket_reason", "onebasket_original", "onebasket_refused", "onebasket_content"
BULK = {"plans", "stock"}  # tables by product, place and day: too large to be copied once more than needed
DATED = {"order_lines": "ordered_at", "stock": "day"}  # the tables whose rows tell of what has happened


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
    export: Whole
    counts: Counts

    def with_kept(self, kept: Any, rows: int) -> "Taken":
        """The same source with fewer rows kept; the others are duplicates of another source's."""
        more = self.counts.kept - rows
        counts = replace(self.counts, kept=rows, duplicates=self.counts.duplicates + more)
        return replace(self, kept=kept, counts=counts)


@dataclass(frozen=True)
class Door:
    """What the intake of every source needs to know."""

    engine: Engine
    intake: Intake
    latest_day: date | None = None


def take_in(door: Door, name: str) -> Taken:
    """Read the source `name` and judge its rows."""
    source = door.intake.sources[name]
    table = SOURCE_TABLES[source.table]
    besides = read_joins(door.engine, name, source, door.intake.folder)
    export = joined(name, read_whole(door.engine, name, source, door.intake.folder), besides)
    with told(f"sources.{name}: cannot read {_named(export, source)}"):
        judged = _judged(door, name, export)
        judged = (door.engine.view if table.name in BULK else door.engine.keep)(f"judged_{name}", judged)
        rows, reasons = _reasons(door.engine, name)
    fine = judged.filter(judged[REASON].isnull()) if reasons else judged
    with told(f"sources.{name}: cannot order its rows"):
        kept, duplicates = without_duplicates(door.engine, name, source, table, fine)
    for broken in export.broken:
        reasons[broken.reason] = reasons.get(broken.reason, 0) + 1
    counts = counted(rows + len(export.broken), duplicates, reasons)
    return Taken(name, table, kept.select(*table.column_names), judged, export, counts)


def _named(export: Whole, source: Source) -> str:
    return export.files[0] if len(export.files) == 1 else source.path


def _reasons(engine: Engine, name: str) -> tuple[int, dict[str, int]]:
    """How many rows were split and typed, and how many of them each reason refuses."""
    tally = dict(engine.rows(f"SELECT {REASON}, count(*) FROM {quoted(f'judged_{name}')} GROUP BY 1"))
    return sum(tally.values()), {reason: rows for reason, rows in tally.items() if reason is not None}


def counted(read: int, duplicates: int, reasons: dict[str, int]) -> Counts:
    """What became of `read` rows; ingest holds `kept` against the rows that it writes."""
    quarantined = sum(reasons.values())
    return Counts(read, read - quarantined - duplicates, quarantined, duplicates, dict(sorted(reasons.items())))


def _judged(door: Door, name: str, export: Whole) -> Any:
    """Every row of the export in its table's columns and types, with the reason where it cannot be used."""
    source = door.intake.sources[name]
    table = SOURCE_TABLES[source.table]
    mapped = _sql(export.table, f"mapped_{name}", _mapping(name, source, table, export))
    zone = source.time_zone or door.intake.retailer.time_zone
    columns = [
        f"{_typed(name, column, source, mapped.schema(), zone)} AS {quoted(column.name)}" for column in table.columns
    ]
    raw = [f"{quoted(column)} AS {quoted('raw_' + column)}" for column in source.columns]
    typed = _sql(mapped, f"typed_{name}", [*columns, *raw, REFUSED, ORIGINAL, FILE, ROW])
    reason = _reason(door, source, table)
    first = _sql(typed, f"reasoned_{name}",
                 [*map(quoted, table.column_names), f"{reason} AS {REASON}", ORIGINAL, FILE, ROW])  # fmt: skip
    content = [f"hash({ORIGINAL}) AS {CONTENT}"] if source.table == "order_lines" else []
    return _sql(first, f"final_{name}", [
        *map(quoted, table.column_names), REASON,
        f"CASE WHEN {REASON} IS NOT NULL THEN CAST(to_json({ORIGINAL}) AS VARCHAR) END AS {ORIGINAL}",
        *content, FILE, ROW,
    ])  # fmt: skip


def _sql(table: Any, view: str, columns: list[str]) -> Any:
    """SELECT `columns` (DuckDB's dialect, so that Ibis can write it in another) from an Ibis table."""
    return table.alias(view).sql(f"SELECT {', '.join(columns)} FROM {quoted(view)}", dialect="duckdb")


def _mapping(name: str, source: Source, table: Table, export: Whole) -> list[str]:
    """The recipe's expressions, the reason where it refuses a row, and the row as it came."""
    scalars = {
        column: scalar(text, export.columns, f"sources.{name}.columns.{column}")
        for column, text in source.columns.items()
    }
    original = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in export.columns)
    return [
        *(f"{found.sql} AS {quoted(column)}" for column, found in scalars.items()),
        f"{_refusal(name, source, table, export, scalars)} AS {REFUSED}",
        f"struct_pack({original}) AS {ORIGINAL}",
        FILE,
        ROW,
    ]


def _refusal(name: str, source: Source, table: Table, export: Whole, scalars: dict[str, Scalar]) -> str:
    rules = [
        (scalar(rule.when, export.columns, f"sources.{name}.quarantine").sql, rule.reason) for rule in source.quarantine
    ]
    for column, found in scalars.items():
        if found.unreadable:
            rules.append((found.unreadable, f"{column} {UNREADABLE.get(table.column(column).kind, 'cannot be read')}"))
    return _first_true(rules)


def _first_true(rules: list[tuple[str, str]]) -> str:
    """SQL giving the reason of the first condition that is true, else null."""
    whens = " ".join(f"WHEN {condition} THEN {literal(reason)}" for condition, reason in rules)
    return f"CASE {whens} ELSE NULL END" if rules else "CAST(NULL AS VARCHAR)"


def _typed(name: str, column: Column, source: Source, given: Any, zone: str) -> str:
    """The column in its own type; its default where the recipe does not map it or the value is null."""
    if column.name == "source":
        return literal(name)
    default = f"CAST({column.default or 'NULL'} AS {_sql_type(column)})"
    if column.name not in source.columns:
        return default
    value = cast(quoted(column.name), given[column.name], column.kind, zone)
    if column.kind == "text" and not column.required:  # a required one that is blank has a reason of its own
        value = f"CASE WHEN trim({value}) <> '' THEN {value} END"
    return value if column.default is None else f"coalesce({value}, {default})"


def _sql_type(column: Column) -> str:
    return SQL_TYPES[column.kind]


def _reason(door: Door, source: Source, table: Table) -> str:
    rules = [(f"{REFUSED} IS NOT NULL", "")]
    for column in table.columns:
        if column.name in source.columns and column.kind in UNREADABLE:
            raw = quoted("raw_" + column.name)
            lost = f"{quoted(column.name)} IS NULL AND {raw} IS NOT NULL AND CAST({raw} AS VARCHAR) NOT IN ('', 'nan')"
            rules.append((lost, f"{column.name} {UNREADABLE[column.kind]}"))
        if column.required:
            rules.append((f"{quoted(column.name)} IS NULL", f"{column.name} is missing"))
    rules += [(check.bad_when, check.reason) for column in table.columns for check in column.checks]
    rules += [(check.bad_when, check.reason) for check in table.checks]
    rules += _outside(door, table)
    sql = _first_true(rules)
    return sql.replace(f"WHEN {REFUSED} IS NOT NULL THEN ''", f"WHEN {REFUSED} IS NOT NULL THEN {REFUSED}", 1)


def _outside(door: Door, table: Table) -> list[tuple[str, str]]:
    """Days before the recipe's oldest, and after the latest that can have happened."""
    if table.name not in DATED:
        return []
    column = DATED[table.name]
    day = local_day(column, door.intake.retailer.time_zone) if column.endswith("_at") else column
    oldest = date.fromisoformat(door.intake.oldest_day)
    rules = [(f"{day} < DATE '{oldest}'", f"{column} is before {oldest}")]
    if door.latest_day is not None:
        rules.append((f"{day} > DATE '{door.latest_day}'", f"{column} is after {door.latest_day}"))
    return rules
