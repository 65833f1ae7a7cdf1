"""What the calendar says of the days of a panel: for every location, and of those with days of their own."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads

from features.calendar import EVERYWHERE
from features.errors import HistoryError
from features.history import Ids, Int
from features.panel import DayFacts
from features.workspace import Snapshot

Row = dict[str, Any]


def day_facts(
    snapshot: Snapshot, first: date, last: date, locations: Sequence[str]
) -> tuple[DayFacts, Int | None, tuple[DayFacts, ...]]:
    """Facts of the days from `first` to `last`, and the calendars of `locations` that differ from them.

    A row for the location itself, else one for its region, counts before the row for 'all'; what it leaves empty is
    taken from that. The second answer is int32 [locations], -1 where the first holds, else a position in the third;
    None where it holds everywhere. Raises HistoryError where the calendar does not reach `last`.
    """
    places = sorted(set(locations))
    regions = _regions(snapshot, places)
    found = _rows(snapshot, first, last, {EVERYWHERE, *places, *regions.values()})
    everywhere = found.pop(EVERYWHERE, [])
    if len(everywhere) != (last - first).days + 1:
        raise HistoryError(
            f"the calendar does not reach {last}: the history ends on {snapshot.last_day}, so that the day asked "
            "for is too far after it: ingest newer exports or choose an earlier day"
        )
    names = Ids(row["holiday"] for rows in (everywhere, *found.values()) for row in rows if row["holiday"] is not None)
    facts, distinct = _facts(everywhere, first, names), list[list[Row]]()
    sources = {place: [name for name in (regions.get(place), place) if name in found] for place in places}
    merged = {tuple(used): _merged(everywhere, [found[name] for name in used]) for used in sources.values()}
    for rows in merged.values():
        if rows not in distinct and rows != _merged(everywhere, []):
            distinct.append(rows)
    if not distinct:
        return facts, None, ()
    number = {key: distinct.index(rows) if rows in distinct else -1 for key, rows in merged.items()}
    calendar = np.array([number[tuple(sources[place])] for place in locations], np.int32)
    return facts, calendar, tuple(_facts(rows, first, names) for rows in distinct)


def _regions(snapshot: Snapshot, places: list[str]) -> dict[str, str]:
    if not snapshot.holds("locations"):
        return {}
    where = pads.field("location_id").isin(pa.array(places, pa.string()))
    rows = snapshot.read("locations", where, ["location_id", "region"]).to_pylist()
    return {row["location_id"]: row["region"] for row in rows if row["region"] is not None}


def _rows(snapshot: Snapshot, first: date, last: date, regions: set[str]) -> dict[str, list[Row]]:
    """The calendar's rows by region, in the order of days."""
    day, region = pads.field("day"), pads.field("region")
    earliest, latest = (pa.scalar(end, pa.date32()) for end in (first, last))
    where = (day >= earliest) & (day <= latest) & region.isin(pa.array(sorted(regions), pa.string()))
    found: dict[str, list[Row]] = {}
    for row in snapshot.read("calendar", where).sort_by("day").to_pylist():
        found.setdefault(row["region"], []).append(row)
    return found


def _merged(everywhere: list[Row], own: list[list[Row]]) -> list[Row]:
    """Everybody's days with rows of `own` in their place, the last of them first, and what they leave empty kept."""
    by_day = {row["day"]: row for rows in own for row in rows}
    return [_over(by_day.get(row["day"], row), row) for row in everywhere]


def _over(own: Row, row: Row) -> Row:
    return {name: row[name] if own[name] is None else own[name] for name in ("is_open", "holiday", "working_day")}


def _facts(rows: list[Row], first: date, names: Ids) -> DayFacts:
    return DayFacts(
        first_day=first,
        is_open=np.array([row["is_open"] for row in rows], bool),
        holiday=names.codes([row["holiday"] for row in rows]),
        holidays=tuple(names.values),
        working_day=np.array([row["working_day"] for row in rows], bool),
    )
