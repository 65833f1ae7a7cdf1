"""From one export to the rows of its table: every row is typed and judged, none is lost."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from features.casts import SQL_TYPES, UNREADABLE, cast, local_day
from features.channels import Export
from features.channels.export import ROW
from features.engine import Engine
from features.expressions import Scalar, literal, quoted, scalar
from features.sources import Intake, Source
from features.tables import SOURCE_TABLES, Column, Table

REASON, ORIGINAL, REFUSED, CONTENT = "onebasket_reason", "onebasket_original", "onebasket_refused", "onebasket_content"
DATED = {"order_lines": "ordered_at", "stock": "day"}  # the tables whose rows tell of what has happened


@dataclass(frozen=True)
class Door:
    """What the intake of every source needs to know."""

    engine: Engine
    intake: Intake
    latest_day: date | None = None
    tables: dict[str, Any] = field(default_factory=dict)


def needs_numbers(door: Door, name: str) -> bool:
    """Whether mapping the source does not keep the order of its rows, so that they must be numbered first."""
    return bool(door.intake.sources[name].join)


def judged(door: Door, name: str, export: Export) -> Any:
    """Every row of the export in its table's columns and types, with the reason where it cannot be used."""
    source = door.intake.sources[name]
    table = SOURCE_TABLES[source.table]
    places = [ROW] if export.numbered else []
    mapped = _sql(export.table, f"mapped_{name}", _mapping(name, source, table, export))
    zone = source.time_zone or door.intake.retailer.time_zone
    columns = [
        f"{_typed(name, column, source, mapped.schema(), zone)} AS {quoted(column.name)}" for column in table.columns
    ]
    raw = [f"{quoted(column)} AS {quoted('raw_' + column)}" for column in source.columns]
    typed = _sql(mapped, f"typed_{name}", [*columns, *raw, REFUSED, ORIGINAL, *places])
    reason = _reason(door, source, table)
    first = _sql(typed, f"reasoned_{name}",
                 [*map(quoted, table.column_names), f"{reason} AS {REASON}", ORIGINAL, *places])  # fmt: skip
    content = [f"hash({ORIGINAL}) AS {CONTENT}"] if source.table == "order_lines" else []
    return _sql(first, f"final_{name}", [
        *map(quoted, table.column_names), REASON,
        f"CASE WHEN {REASON} IS NOT NULL THEN CAST(to_json({ORIGINAL}) AS VARCHAR) END AS {ORIGINAL}",
        *content, *places,
    ])  # fmt: skip


def _sql(table: Any, view: str, columns: list[str]) -> Any:
    """SELECT `columns` (DuckDB's dialect, so that Ibis can write it in another) from an Ibis table."""
    return table.alias(view).sql(f"SELECT {', '.join(columns)} FROM {quoted(view)}", dialect="duckdb")


def _mapping(name: str, source: Source, table: Table, export: Export) -> list[str]:
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
        *([ROW] if export.numbered else []),
    ]


def _refusal(name: str, source: Source, table: Table, export: Export, scalars: dict[str, Scalar]) -> str:
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
