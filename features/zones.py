"""Time zones as plain SQL: comparisons with the moments at which a zone changed, instead of a look-up per row.

An hour that clocks skip is read as if they had not changed yet, one that they repeat as the second of the two:
as DuckDB's own AT TIME ZONE does it, which still answers for moments outside the span that is covered.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from features.expressions import literal

FAR = date(2038, 1, 1)
MARGIN = timedelta(days=3)  # more than any offset, so that a day's edge is covered in every zone


@dataclass(frozen=True)
class Span:
    """The days that are expected, both included; later and earlier ones are converted too, but slowly."""

    first: date
    last: date = FAR

    @property
    def edges(self) -> tuple[datetime, datetime]:
        return _midnight(self.first) - MARGIN, _midnight(self.last) + MARGIN


USUAL_DAYS = Span(date(1990, 1, 1))


@dataclass(frozen=True)
class Change:
    """From the UTC moment `at` on, local time is UTC plus `after`."""

    at: datetime
    before: timedelta
    after: timedelta


@cache
def changes(zone: str, start: datetime, end: datetime) -> tuple[Change, ...]:
    """The changes of a zone's offset between two UTC moments, in order."""
    known, found = ZoneInfo(zone), []
    moment, offset = start, _offset(known, start)
    while moment < end:
        following = min(moment + timedelta(days=1), end)
        later = _offset(known, following)
        if later != offset:
            found.append(Change(_first_with(known, moment, following), offset, later))
        moment, offset = following, later
    return tuple(found)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first_with(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with the later of two moments' offsets."""
    later = _offset(zone, after)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if _offset(zone, middle) == later else (middle, after)
    return after


def to_utc(local: str, zone: str, span: Span) -> str:
    """SQL of the UTC instant at which clocks in `zone` show `local` (SQL of a plain timestamp, named twice or more)."""
    if zone == "UTC":
        return local
    start, end = span.edges
    found = changes(zone, start, end)
    first = found[0].before if found else _offset(ZoneInfo(zone), start)
    steps = [(change.at + change.after, change.after) for change in found]
    return _covered(local, start, end, _tree(local, first, steps, "-"),
                    f"{local} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'")  # fmt: skip


def to_local(instant: str, zone: str, span: Span) -> str:
    """SQL of what clocks in `zone` show at `instant` (SQL of a UTC timestamp, named twice or more)."""
    if zone == "UTC":
        return instant
    start, end = span.edges
    found = changes(zone, start, end)
    first = found[0].before if found else _offset(ZoneInfo(zone), start)
    steps = [(change.at, change.after) for change in found]
    return _covered(instant, start, end, _tree(instant, first, steps, "+"),
                    f"{instant} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)}")  # fmt: skip


def day_starts(day: date, zone: str) -> datetime:
    """The UTC moment at which a local day begins."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def moment(value: datetime) -> str:
    """A timestamp for SQL.

    >>> moment(datetime(2024, 3, 31, 1))
    "TIMESTAMP '2024-03-31 01:00:00'"
    """
    return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S}'"


def _covered(value: str, start: datetime, end: datetime, within: str, otherwise: str) -> str:
    inside = f"{value} >= {moment(start + timedelta(days=1))} AND {value} < {moment(end - timedelta(days=1))}"
    return f"CASE WHEN {inside} THEN {within} ELSE {otherwise} END"


def _tree(value: str, first: timedelta, steps: list[tuple[datetime, timedelta]], sign: str) -> str:
    """Nested CASE over ordered steps: the offset of the last step not after the value is added or taken."""
    if not steps:
        seconds = round(first.total_seconds())
        return f"{value} {sign} INTERVAL '{seconds}' SECOND" if seconds else value
    middle = len(steps) // 2
    left = _tree(value, first, steps[:middle], sign)
    right = _tree(value, steps[middle][1], steps[middle + 1 :], sign)
    return f"CASE WHEN {value} < {moment(steps[middle][0])} THEN {left} ELSE {right} END"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)
