"""From the type that an export gave a value to the type that its column promises, as SQL.

A value that cannot be read becomes null, never an error: the intake then sends its row to the quarantine.
"""

from features.expressions import literal
from features.tables import Kind

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


def cast(value: str, given: object, kind: Kind, zone: str) -> str:
    """SQL that turns `value`, of the Ibis type `given`, into `kind`; naive timestamps are read in `zone`.

    Not-a-number counts as null (pandas writes missing numbers so), and so does an empty text.
    """
    if given.is_floating():  # type: ignore[attr-defined]  # Ibis has no types of its own
        value = f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END"
    elif given.is_string():  # type: ignore[attr-defined]
        value = f"nullif({value}, '')"
    if kind in {"text", "secret"}:
        return _text(value, given)
    if kind == "instant":
        return _instant(value, given, zone)
    if kind == "day" and _has_zone(given):
        return f"CAST({value} AT TIME ZONE {literal(zone)} AS DATE)"
    if kind == "texts":
        return _texts(value, given)
    if kind == "float":
        return f"nullif(TRY_CAST({value} AS DOUBLE), 'inf'::DOUBLE)"
    return f"TRY_CAST({value} AS {SQL_TYPES[kind]})"


def _text(value: str, given: object) -> str:
    if given.is_floating():  # type: ignore[attr-defined]
        # an id that a spreadsheet or pandas turned into 17850.0 is 17850
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) ELSE CAST({value} AS VARCHAR) END"
    return f"CAST({value} AS VARCHAR)"


def _texts(value: str, given: object) -> str:
    listed = value if given.is_array() else f"[{value}]"  # type: ignore[attr-defined]
    return f"list_filter(CAST({listed} AS VARCHAR[]), part -> part IS NOT NULL AND part <> '')"


def _has_zone(given: object) -> bool:
    return bool(given.is_timestamp() and given.timezone)  # type: ignore[attr-defined]


def _instant(value: str, given: object, zone: str) -> str:
    if _has_zone(given):
        return f"CAST({value} AT TIME ZONE 'UTC' AS TIMESTAMP)"
    naive = _to_utc(f"TRY_CAST({value} AS TIMESTAMP)", zone)
    if not given.is_string():  # type: ignore[attr-defined]
        return naive
    aware = f"CAST(TRY_CAST({value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP)"
    return f"CASE WHEN regexp_matches({value}, {literal(HAS_OFFSET)}) THEN {aware} ELSE {naive} END"


def _to_utc(naive: str, zone: str) -> str:
    """An hour that a change to summer time skips is read as if the clocks had not changed yet."""
    return naive if zone == "UTC" else f"{naive} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"


def local_day(instant: str, zone: str) -> str:
    """SQL for the local business date of a UTC instant."""
    local = instant if zone == "UTC" else f"{instant} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)}"
    return f"CAST({local} AS DATE)"
