"""From the type that an export gave a value to the type that its column promises, as SQL.

A value that cannot be read becomes null, never an error: the intake then sends its row to the quarantine.
"""

from typing import Any

from features.expressions import literal
from features.tables import Kind
from features.zones import USUAL_DAYS, to_local

UNREADABLE: dict[Kind, str] = {
    "int": "is not a whole number",
    "decimal": "is not a number",
    "float": "is not a number",
    "bool": "is neither true nor false",
    "day": "is not a date",
    "instant": "is not a date and time",
}
SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "decimal": "DECIMAL(18, 4)",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "day": "DATE",
    "instant": "TIMESTAMP",
    "texts": "VARCHAR[]",
    "secret": "VARCHAR",
}
HAS_OFFSET = r"\d:\d{2}.*([zZ]|[+-]\d{2}(:?\d{2})?)$"


def cast(value: str, given: Any, kind: Kind, zone: str) -> str:
    """SQL that turns `value`, of the Ibis type `given`, into any `kind` but an instant.

    A time with a zone gives its day in `zone`. Not-a-number counts as null (pandas writes missing numbers so),
    and so does an empty text.
    """
    value = present(value, given)
    if kind in {"text", "secret"}:
        return _text(value, given)
    if kind == "day" and _has_zone(given):
        return f"CAST({value} AT TIME ZONE {literal(zone)} AS DATE)"
    if kind == "texts":
        return _texts(value, given)
    if kind == "float":
        return f"nullif(TRY_CAST({value} AS DOUBLE), 'inf'::DOUBLE)"
    return f"TRY_CAST({value} AS {SQL_TYPES[kind]})"


def present(value: str, given: Any) -> str:
    """SQL of a value, null where it stands for none."""
    if given.is_floating():
        return f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END"
    return f"nullif({value}, '')" if given.is_string() else value


def written(value: str, given: Any) -> str:
    """SQL of any value as text. That a number is a double is said, for engines write doubles otherwise."""
    return f"CAST(CAST({value} AS DOUBLE) AS VARCHAR)" if given.is_float64() else f"CAST({value} AS VARCHAR)"


def filled(text: str) -> str:
    """SQL of a text, null where it is empty or blank."""
    # almost nothing is blank, and a CASE of which every row goes to ELSE costs nothing
    return f"CASE WHEN {text} < '!' AND trim({text}) = '' THEN NULL ELSE {text} END"


def _text(value: str, given: Any) -> str:
    if given.is_floating():
        # an id that a spreadsheet or pandas turned into 17850.0 is 17850
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) ELSE {written(value, given)} END"
    return value if given.is_string() else f"CAST({value} AS VARCHAR)"


def _texts(value: str, given: Any) -> str:
    listed = value if given.is_array() else f"[{value}]"
    return f"list_filter(CAST({listed} AS VARCHAR[]), part -> part IS NOT NULL AND part <> '')"


def _has_zone(given: Any) -> bool:
    return bool(given.is_timestamp() and given.timezone)


def says_its_zone(value: str, given: Any) -> str:
    """SQL: the value says its offset from UTC, so that no zone need be assumed."""
    if not given.is_string():
        return "true" if _has_zone(given) else "false"
    # the usual form has no offset and is told by its shape: comparing is cheaper than the pattern
    plain = f"{value} LIKE '____-__-_____:__:__' AND NOT {value} LIKE '%Z' AND NOT {value} LIKE '%z'"
    return f"CASE WHEN {plain} THEN false ELSE regexp_matches({value}, {literal(HAS_OFFSET)}) END"


def as_written(value: str, given: Any, knows_zone: str) -> str:
    """SQL of a timestamp: UTC where the value says its offset, else what the clocks showed."""
    if _has_zone(given):
        return f"CAST({value} AT TIME ZONE 'UTC' AS TIMESTAMP)"
    naive = f"TRY_CAST({present(value, given)} AS TIMESTAMP)"
    if not given.is_string():
        return naive
    aware = f"CAST(TRY_CAST({value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP)"
    return f"CASE WHEN {knows_zone} THEN {aware} ELSE {naive} END"


def local_day(instant: str, zone: str) -> str:
    """SQL for the local business date of a UTC instant (SQL that is named more than once)."""
    return f"CAST({to_local(instant, zone, USUAL_DAYS)} AS DATE)"
