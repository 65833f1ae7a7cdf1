"""What came of each source: its rows, its reasons with examples, how late it came and how fresh it is."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from features.channels.export import ROW
from features.engine import Engine
from features.errors import RecipeError
from features.expressions import file_literal, literal, scalar
from features.judging import ORIGINAL, REASON
from features.landing import Landed
from features.ledger import Ledger
from features.quality_volume import Figures
from features.tables import SOURCE_TABLES
from features.workspace import Snapshot, Workspace

EXAMPLES = 3  # per reason
SHOWN_REASONS = 20
SHOWN_CHARACTERS = 80
LATE_TIMES = 3  # a line is late beyond so many times the usual lag of its file
LAGS = ((0, "same day"), (1, "1 day"), (2, "2 days"), (7, "3 to 7 days"), (30, "8 to 30 days"), (90, "31 to 90 days"))
LONGER = "more than 90 days"
NOT_SHOWN = {"channel_customer_id"}
DATED = {"order_lines", "stock"}


def sources(engine: Engine, workspace: Workspace, snapshot: Snapshot, ledger: Ledger, as_of: date) -> list[Figures]:
    """One entry per source: rows read, kept, quarantined, duplicates, replaced; reasons with examples; its days."""
    found = []
    recipe = snapshot.facts["recipe"]["sources"]
    for name, counts in snapshot.facts["sources"].items():
        landed = ledger.of(name)
        days = [date.fromisoformat(day) for one in landed for day in one.days]
        dated = bool(days) and counts["table"] in DATED
        found.append({
            "source": name, **{key: counts[key] for key in ("table", "read", "kept", "quarantined", "duplicates")},
            "replaced": counts["replaced"], "files": len(landed),
            "first_day": str(min(days)) if dated else None, "last_day": str(max(days)) if dated else None,
            "days_behind": max((as_of - max(days)).days, 0) if dated else None,
            "reasons": _reasons(engine, workspace, recipe[name], landed, counts["reasons"]),
        })  # fmt: skip
    return found


def _reasons(
    engine: Engine, workspace: Workspace, source: Mapping[str, Any], landed: list[Landed], reasons: Mapping[str, int]
) -> list[Figures]:
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_REASONS]
    return [{"reason": reason, "rows": rows, "examples": _examples(engine, workspace, source, landed, reason)}
            for reason, rows in most]  # fmt: skip


def _examples(
    engine: Engine, workspace: Workspace, source: Mapping[str, Any], landed: list[Landed], reason: str
) -> list[Figures]:
    """The first rows refused for a reason: where they stand and, of what they hold, only what the reason is about."""
    found: list[Figures] = []
    for one in landed:
        if reason not in one.reasons or len(found) >= EXAMPLES:
            continue
        row, file = ROW if one.numbered else "file_row_number", file_literal(one.parquet(workspace))
        rows = engine.rows(
            f"SELECT {row}, {ORIGINAL} FROM read_parquet({file}, file_row_number = true) "
            f"WHERE {REASON} = {literal(reason)} ORDER BY 1 LIMIT {EXAMPLES - len(found)}"
        )
        found += [{"file": one.name, "row": row, "values": _about(source, reason, original)} for row, original in rows]
        if not rows and one.broken(workspace).is_file():
            lines = json.loads(one.broken(workspace).read_text("utf-8"))
            found += [{"file": one.name, "line": line["line"], "values": {}} for line in lines
                      if line["reason"] == reason][: EXAMPLES - len(found)]  # fmt: skip
    return found


def _about(source: Mapping[str, Any], reason: str, original: str) -> dict[str, str]:
    """The export's columns that a refused column is mapped from, as they came; none that names a person.

    A refusal begins with the name of its column; what was refused by a rule of the recipe shows nothing.
    """
    values = json.loads(original)
    mapped, table = source["columns"], SOURCE_TABLES[source["table"]]
    named = [name for name in mapped if name in reason.split() and name not in NOT_SHOWN
             and table.column(name).kind != "secret"]  # fmt: skip
    personal = _columns(mapped, [name for name in mapped if name in NOT_SHOWN or table.column(name).kind == "secret"],
                        values)  # fmt: skip
    shown = sorted(_columns(mapped, named, values) - personal)
    return {name: "" if values[name] is None else str(values[name])[:SHOWN_CHARACTERS] for name in shown}


def _columns(mapped: Mapping[str, str], names: Iterable[str], values: Mapping[str, Any]) -> set[str]:
    """The export's columns that the expressions of `names` read."""
    found: set[str] = set()
    for name in names:
        try:
            read = {column.lower() for column in scalar(mapped[name], list(values), name).columns}
        except RecipeError:  # another file of the source has the column
            continue
        found |= {value for value in values if value.lower() in read}
    return found


def lateness(ledger: Ledger, sources: Iterable[str]) -> Figures:
    """How long after its day a line came: the days from a line's day to the newest day of its file.

    Late is what lies beyond LATE_TIMES the usual lag of its file: in a day's export all of an earlier day, in a
    whole year's export nothing. From the counts by day that landing wrote; no row is read.
    """
    names = set(sources)
    lags: dict[str, int] = {}
    by_source: dict[str, list[int]] = {}
    for one in ledger.landed:
        if one.source not in names or not one.days:
            continue
        late, total = by_source.setdefault(one.source, [0, 0])
        found, late_lines = _late(one.days)
        for name, lines in found.items():
            lags[name] = lags.get(name, 0) + lines
        by_source[one.source] = [late + late_lines, total + sum(one.days.values())]
    late, total = (sum(counts[place] for counts in by_source.values()) for place in (0, 1))
    return {
        "lines": total, "late": late, "share": late / total if total else 0.0,
        "late_by_lag": [{"lag": name, "lines": lags[name]} for name in [*(name for _, name in LAGS), LONGER]
                        if name in lags],
        "sources": [{"source": name, "lines": counts[1], "late": counts[0]}
                    for name, counts in sorted(by_source.items())],
    }  # fmt: skip


def _late(days: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """The late lines of a file by lag, and how many there are."""
    newest = max(map(date.fromisoformat, days))
    lags = sorted(((newest - date.fromisoformat(day)).days, lines) for day, lines in days.items())
    half, seen, usual = sum(days.values()) / 2, 0, 0
    for lag, lines in lags:
        seen += lines
        if seen >= half:
            usual = lag
            break
    late = [(lag, lines) for lag, lines in lags if lag > LATE_TIMES * usual]
    found: dict[str, int] = {}
    for lag, lines in late:
        name = next((name for most, name in LAGS if lag <= most), LONGER)
        found[name] = found.get(name, 0) + lines
    return found, sum(lines for _, lines in late)
