"""Rows that could not be used, kept with their reasons."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.channels.export import ROW
from features.engine import Engine, told
from features.errors import WorkspaceError
from features.expressions import file_literal, literal
from features.judging import ORIGINAL, REASON
from features.landing import Landed
from features.workspace import Workspace

SHOWN_ROWS = 1000
ROW_BATCH = 100_000
COLUMNS = ["reason", "file", "row", "original"]
SCHEMA = pa.schema([("reason", pa.string()), ("file", pa.string()), ("row", pa.int64()), ("original", pa.string())])


def write_quarantine(engine: Engine, workspace: Workspace, source: str, landed: Sequence[Landed], folder: Path) -> None:
    """Write <source>.parquet with every refused row, and <source>.csv with the first SHOWN_ROWS for a spreadsheet.

    Columns: reason, file, row (from 0 on, the line number of a broken CSV line), original (the values as they
    came, as JSON text; a broken line as it stands).
    """
    refusing = [one for one in landed if one.reasons]
    if not refusing:
        return
    with told(f"writing the quarantine of {source}", WorkspaceError):
        with pq.ParquetWriter(folder / f"{source}.parquet", SCHEMA, compression="zstd") as writer:
            shown = SCHEMA.empty_table()
            for part in _parts(engine, workspace, refusing):
                writer.write_table(part)
                shown = pa.concat_tables([shown, part.slice(0, SHOWN_ROWS - len(shown))])
        with (folder / f"{source}.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(COLUMNS)
            rows.writerows(zip(*(shown[column].to_pylist() for column in COLUMNS), strict=True))


def _parts(engine: Engine, workspace: Workspace, landed: Sequence[Landed]) -> Iterator[pa.Table]:
    """The refused rows of each file, broken lines first."""
    for one in landed:
        if one.broken(workspace).is_file():
            lines = json.loads(one.broken(workspace).read_text("utf-8"))
            rows = [{"reason": line["reason"], "file": one.name, "row": line["line"], "original": line["text"]}
                    for line in lines]  # fmt: skip
            yield pa.Table.from_pylist(rows, SCHEMA)
        row = ROW if one.numbered else "file_row_number"
        query = (
            f"SELECT {REASON}, {literal(one.name)}, {row}, {ORIGINAL} FROM read_parquet("
            f"{file_literal(one.parquet(workspace))}, file_row_number = true) WHERE {REASON} IS NOT NULL ORDER BY {row}"
        )
        for batch in engine.run(query).to_arrow_reader(ROW_BATCH):
            yield pa.Table.from_batches([batch]).rename_columns(COLUMNS).cast(SCHEMA)
