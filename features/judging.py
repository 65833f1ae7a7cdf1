"""Every row of an export in its table's columns and types, with the reason where it cannot be used.

All of it is one query without joins wherever possible, so that the rows stay in the order of the export:

    mapped     the recipe's expressions over the export's columns
    translated the recipe's value maps; what an expression could not read
    typed      each value in the type of its column, its default where there is none
    settled    instants in UTC, units as they are counted, personal data hashed
    exchanged  amounts in the retailer's currency
    judged     the reason, and the row as it came where there is one
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import ibis

from features.casts import SQL_TYPES, UNREADABLE, as_written, cast, filled, present, says_its_zone, written
from features.channels.export import FILE, ROW, Export
from features.choices import chosen
from features.conversions import ASKED_UNIT, CODE, LACKS_RATE, MOST_RULES, exchange, join_rules, settle_units
from features.currencies import REASON as NO_RATE
from features.dialects import types_of
from features.engine import Engine
from features.errors import RecipeError
from features.expressions import Scalar, literal, quoted, scalar
from features.keyed_hash import has_key, hashed, unlock
from features.personal import guarded, original_row
from features.sources import Intake, Source
from features.stages import Stages
from features.tables import SOURCE_TABLES, Column, Table
from features.zones import Span, day_starts, moment, to_utc

REASON, ORIGINAL, REFUSED, CONTENT = "onebasket_reason", "onebasket_original", "onebasket_refused", "onebasket_content"
TEXT_TYPE = ibis.dtype("string")
GIVEN, VALUE, RAW, CLOCK, AWARE = "given_", "value_", "raw_", "clock_", "aware_"  # what a stage calls a column
DATED = {"order_lines": "ordered_at", "stock": "day"}  # the tables whose rows tell of what has happened
FUTURE = "is in the future"  # of a DATED column: the day of such a row may come
ACCOUNT = "channel_customer_id"


@dataclass(frozen=True)
class Door:
    """What the intake of every source needs to know.

    `tables` holds the recipe's product_units and exchange_rates, once they were taken in.
    """

    engine: Engine
    intake: Intake
    latest_day: date | None = None
    tables: dict[str, Any] | None = None

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        return {}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of one of `tables`, read once; none where there is no such table."""
        if name not in self._rows:
            table = (self.tables or {}).get(name)
            self._rows[name] = [] if table is None else table.to_pyarrow().to_pylist()
        return self._rows[name]

    @cached_property
    def span(self) -> Span:
        """The days that rows are expected to have."""
        oldest = date.fromisoformat(self.intake.oldest_day)
        return Span(oldest) if self.latest_day is None else Span(oldest, max(oldest, self.latest_day))


@dataclass(frozen=True)
class _Task:
    """One source at the door."""

    door: Door
    name: str
    export: Export
    source: Source
    table: Table
    scalars: dict[str, Scalar] = field(default_factory=dict)

    @property
    def mapped(self) -> list[Column]:
        return [column for column in self.table.columns if column.name in self.source.columns]

    def fills(self, *columns: str) -> bool:
        return self.table.name == "order_lines" and all(column in self.source.columns for column in columns)

    @property
    def extra(self) -> list[str]:
        return [column for column in (FILE, ROW) if column in self.export.table.columns]

    @property
    def zone(self) -> str:
        return self.source.time_zone or self.door.intake.retailer.time_zone

    @property
    def personal(self) -> frozenset[str]:
        """The export's columns whose values never leave the door as they came."""
        secret = {column.name for column in self.table.columns if column.kind == "secret"}
        return frozenset().union(
            *(found.columns if column in secret else found.personal for column, found in self.scalars.items())
        )


def needs_numbers(door: Door, name: str) -> bool:
    """Whether the judged rows of a source may lose the order of the export, so that its rows have to be numbered."""
    source = door.intake.sources[name]
    has_units = source.table == "order_lines" and "unit" in source.columns
    return bool(source.join) or (has_units and len(door.rows("product_units")) > MOST_RULES)


def judged(door: Door, name: str, export: Export) -> Any:
    """An Ibis table of every row: the columns of its table, REASON (null = usable) and ORIGINAL (null = usable).

    For order lines also CONTENT, a hash of the row as it came where it has no source_line_id, and what it asks the
    tables that it is mapped with: CODE, its currency, and ASKED_UNIT, where these are mapped. ROW and FILE are there
    when the export has them. Depends on the export's columns and their types, never on its file.
    Raises RecipeError where an expression does not fit the export, or personal data come without a key.
    """
    source = door.intake.sources[name]
    scalars = {
        column: scalar(text, export.columns, f"sources.{name}.columns.{column}", door.intake.retailer.country)
        for column, text in source.columns.items()
    }
    task = _Task(door, name, export, source, SOURCE_TABLES[source.table], scalars)
    if has_key() or task.personal:
        unlock(door.engine)
    stages, types = _mapped(task)
    _translate(task, stages, types)
    _typed(task, stages, types)
    stages = _settled(task, stages)
    _exchanged(task, stages)
    _judge(task, stages, types)
    return stages.table()


def _mapped(task: _Task) -> tuple[Stages, Any]:
    """The recipe's expressions as GIVEN columns beside the export's; and the types of them all."""
    first = Stages(task.export.table, task.name)
    first.then({GIVEN + column: found.sql for column, found in task.scalars.items()})
    mapped = first.table()
    return Stages(mapped, f"{task.name}_given"), types_of(mapped)


def _translate(task: _Task, stages: Stages, types: Any) -> None:
    """VALUE columns, the export's columns as RAW ones, and REFUSED: the reason where a rule of the recipe refuses."""
    values = {
        VALUE + column: _meant(quoted(GIVEN + column), task.source.values[column])
        for column in task.scalars if column in task.source.values
    }  # fmt: skip
    values |= {
        VALUE + column: _number(quoted(GIVEN + column), types[GIVEN + column])
        for column in task.scalars if column not in task.source.values
    }  # fmt: skip
    raw = {RAW + column: quoted(column) for column in task.export.columns}
    given = [GIVEN + column for column in task.source.values if column in task.scalars]
    stages.then({**values, **raw, REFUSED: _refusal(task)}, keep=[*given, *task.extra])


def _number(given: str, kind: Any) -> str:
    """SQL of a value that is never not-a-number: pandas writes missing numbers so."""
    return present(given, kind) if kind.is_floating() else given


def _meant(given: str, meanings: dict[str, str]) -> str:
    return chosen(f"CAST({given} AS VARCHAR)", {value: literal(meaning) for value, meaning in meanings.items()})


def _refusal(task: _Task) -> str:
    for rule in task.source.quarantine:
        if rule.reason.endswith(FUTURE):  # such rows are let in when their day has come
            raise RecipeError(
                f"sources.{task.name}.quarantine: {rule.reason!r} is OneBasket's own reason for rows whose day has not "
                "come: say it in other words"
            )
    rules = [
        (scalar(rule.when, task.export.columns, f"sources.{task.name}.quarantine").sql, rule.reason)
        for rule in task.source.quarantine
    ]
    for column, found in task.scalars.items():
        if found.unreadable:
            # asked of the few rows only whose value is null, where that says enough
            first = f"{quoted(GIVEN + column)} IS NULL AND " if found.null_if_unreadable else ""
            what = UNREADABLE.get(task.table.column(column).kind, "cannot be read")
            rules.append((f"{first}({found.unreadable})", f"{column} {what}"))
    return _first_true(rules)


def _first_true(rules: list[tuple[str, str]]) -> str:
    """SQL giving the reason of the first condition that is true, else null."""
    whens = " ".join(f"WHEN {condition} THEN {literal(reason)}" for condition, reason in rules)
    return f"CASE {whens} ELSE NULL END" if rules else "CAST(NULL AS VARCHAR)"


def _typed(task: _Task, stages: Stages, types: Any) -> None:
    """Each column in its own type, but instants as CLOCK (what was written) and AWARE (whether that is UTC)."""
    typed = {}
    for column in task.table.columns:
        given = _type_of(task, column.name, types)
        value = quoted(VALUE + column.name)
        if given is not None and column.kind == "instant":
            typed[AWARE + column.name] = says_its_zone(value, given)
        else:
            typed[column.name] = _simple(task, column, given)
    stages.then(typed)
    clocks = {
        CLOCK + column.name: as_written(quoted(VALUE + column.name), _type_of(task, column.name, types),
                                        quoted(AWARE + column.name))
        for column in task.mapped if column.kind == "instant"
    }  # fmt: skip
    if clocks:
        stages.then(clocks)


def _type_of(task: _Task, column: str, types: Any) -> Any | None:
    """The type of a mapped column's value; None where the recipe does not map it."""
    if column not in task.source.columns:
        return None
    return types[GIVEN + column] if column not in task.source.values else TEXT_TYPE


def _simple(task: _Task, column: Column, given: Any | None) -> str:
    if column.name == "source":
        return literal(task.name)
    default = f"CAST({column.default or 'NULL'} AS {SQL_TYPES[column.kind]})"
    if given is None:
        return default
    value = quoted(VALUE + column.name)
    # a required text that is blank has a reason of its own
    if column.kind == "text" and not column.required:
        value = filled(value if given.is_string() else cast(value, given, column.kind, task.zone))
    else:
        value = cast(value, given, column.kind, task.zone)
    return value if column.default is None else f"coalesce({value}, {default})"


def _settled(task: _Task, stages: Stages) -> Stages:
    """Instants in UTC, units as they are counted, personal data hashed."""
    settled = {
        column.name: _in_utc(task, column.name) for column in task.mapped if column.kind == "instant"
    }  # fmt: skip
    for column in task.mapped:
        if column.kind == "secret":
            kind = quoted("kind") if "kind" in task.table.column_names else literal(column.name)
            settled[column.name] = hashed(quoted(column.name), kind, task.door.intake.retailer.country)
    if ACCOUNT in task.source.columns and ACCOUNT in task.table.column_names:
        country = task.door.intake.retailer.country
        settled[ACCOUNT] = guarded(quoted(ACCOUNT), country, has_key(), f"sources.{task.name}.columns.{ACCOUNT}")
    if settled:
        stages.then(settled)
    if not task.fills("unit", "quantity"):
        return stages
    stages.then({ASKED_UNIT: quoted("unit")})
    rules = task.door.rows("product_units")
    if len(rules) > MOST_RULES and task.door.tables:
        joined = join_rules(stages.table(), task.door.tables["product_units"])
        stages = Stages(joined, f"{task.name}_ruled")
    settle_units(stages, task.door.intake.units, rules)
    return stages


def _in_utc(task: _Task, column: str) -> str:
    clock = quoted(CLOCK + column)
    return f"CASE WHEN {quoted(AWARE + column)} THEN {clock} ELSE {to_utc(clock, task.zone, task.door.span)} END"


def _exchanged(task: _Task, stages: Stages) -> None:
    if task.fills("currency", "ordered_at"):
        retailer, rates = task.door.intake.retailer, task.door.rows("exchange_rates")
        exchange(stages, retailer, rates, task.door.span, f"sources.{task.name}.columns.currency")


def _judge(task: _Task, stages: Stages, types: Any) -> None:
    country = task.door.intake.retailer.country
    columns = list(task.table.column_names)
    raw = [RAW + column for column in task.export.columns]
    asked = [column for column in (CODE, ASKED_UNIT) if column in stages.columns]
    stages.then({REASON: _reason(task, stages)}, keep=[*columns, *raw, *asked, *task.extra])
    original = original_row({column: types[column] for column in task.export.columns}, task.personal, country, RAW)
    last = {ORIGINAL: f"CASE WHEN {REASON} IS NOT NULL THEN {original} END"}
    if task.table.name == "order_lines":
        last[CONTENT] = f"CASE WHEN source_line_id IS NULL THEN {_content(task, types)} END"
    stages.then(last, keep=[*columns, REASON, *asked, *task.extra])


def _content(task: _Task, types: Any) -> str:
    """SQL of a hash of the row as it came: rows that differ in any column differ in it."""
    parts = (f"coalesce({written(quoted(RAW + column), types[column])}, chr(30))" for column in task.export.columns)
    return f"md5(concat_ws(chr(31), {', '.join(parts)}))"


def _reason(task: _Task, stages: Stages) -> str:
    rules = [(LACKS_RATE, NO_RATE)] if LACKS_RATE in stages.columns else []
    for column in task.table.columns:
        if column.name in task.source.columns:
            rules += _lost(task, column)
        if column.required:
            rules.append((f"{quoted(column.name)} IS NULL", f"{column.name} is missing"))
    rules += [(check.bad_when, check.reason) for column in task.table.columns for check in column.checks]
    rules += [(check.bad_when, check.reason) for check in task.table.checks]
    rules += _outside(task)
    return f"CASE WHEN {REFUSED} IS NOT NULL THEN {REFUSED} ELSE {_first_true(rules)} END"


def _lost(task: _Task, column: Column) -> list[tuple[str, str]]:
    """Where a value was given and none is left. The value stays out of the reason: there may be many."""
    if column.name in task.source.values:
        given = quoted(GIVEN + column.name)
        unknown = f"{quoted(VALUE + column.name)} IS NULL AND {given} IS NOT NULL AND CAST({given} AS VARCHAR) <> ''"
        meant = [(unknown, f"{column.name} is not among the recipe's values for it")]
    else:
        meant = []
    if column.kind not in UNREADABLE:
        return meant
    value = quoted(VALUE + column.name)
    lost = f"{quoted(column.name)} IS NULL AND {value} IS NOT NULL AND CAST({value} AS VARCHAR) NOT IN ('', 'nan')"
    return [*meant, (lost, f"{column.name} {UNREADABLE[column.kind]}")]


def _outside(task: _Task) -> list[tuple[str, str]]:
    """Days before the recipe's oldest, and after the latest that can have happened."""
    column = DATED.get(task.table.name)
    if column is None:
        return []
    oldest, latest = date.fromisoformat(task.door.intake.oldest_day), task.door.latest_day
    zone = task.door.intake.retailer.time_zone

    def start(day: date) -> str:
        return moment(day_starts(day, zone)) if column.endswith("_at") else f"DATE '{day}'"

    rules = [(f"{column} < {start(oldest)}", f"{column} is before {oldest}")]
    if latest is not None:
        rules.append((f"{column} >= {start(latest + timedelta(days=1))}", f"{column} {FUTURE}"))
    return rules
