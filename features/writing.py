"""Tables to parquet: the same rows give the same bytes."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from features.engine import Engine, told
from features.errors import WorkspaceError
from features.expressions import literal, quoted

ROW_GROUP_ROWS = 122_880
# Numbers of orders hardly repeat: building dictionaries of them first would take a fifth of the time of writing.
PARQUET = (
    "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 5000, "
    f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
)


def write_table(engine: Engine, rows: Any, folder: Path, order: Sequence[str]) -> int:
    """Write an Ibis table as folder/part.parquet, sorted by `order` and then by everything else; returns its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    return _copy(engine, rows, folder / "part.parquet", order)


def write_months(engine: Engine, rows: Any, folder: Path, order: Sequence[str], day: str = "day") -> int:
    """Write an Ibis table as folder/month=YYYY-MM/part.parquet by the month of `day`; returns its rows.

    One month after another, so that no more than a month is sorted at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    view = rows.mutate(onebasket_month=rows[day].truncate("M")).select("onebasket_month").distinct()
    months = sorted(row[0] for row in engine.rows(engine.ibis.compile(view)))
    written = 0
    for month in months:
        inside = rows.filter(rows[day] >= month, rows[day] < _next(month))
        target = folder / f"month={month:%Y-%m}" / "part.parquet"
        target.parent.mkdir()
        written += _copy(engine, inside, target, order)
    if not months:
        written += _copy(engine, rows, folder / "part.parquet", order)
    return written


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _copy(engine: Engine, rows: Any, file: Path, order: Sequence[str]) -> int:
    columns = [*order, *(column for column in rows.columns if column not in order)]
    by = ", ".join(f"{quoted(column)} NULLS FIRST" for column in columns)
    with told(f"writing {file.parent.name}", WorkspaceError):
        done = engine.rows(
            f"COPY (SELECT * FROM ({engine.ibis.compile(rows)}) ORDER BY {by}) TO {literal(str(file))} ({PARQUET})"
        )
    return int(done[0][0])
