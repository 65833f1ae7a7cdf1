"""Tables to parquet: the same rows give the same bytes."""

from collections.abc import Sequence
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


def _copy(engine: Engine, rows: Any, file: Path, order: Sequence[str]) -> int:
    columns = [*order, *(column for column in rows.columns if column not in order)]
    by = ", ".join(f"{quoted(column)} NULLS FIRST" for column in columns)
    with told(f"writing {file.parent.name}", WorkspaceError):
        done = engine.rows(
            f"COPY (SELECT * FROM ({engine.ibis.compile(rows)}) ORDER BY {by}) TO {literal(str(file))} ({PARQUET})"
        )
    return int(done[0][0])
