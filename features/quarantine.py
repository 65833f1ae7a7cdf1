"""Rows that could not be used, kept with their reasons."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.channels.export import FILE, ROW
from features.engine import Engine, told
from features.errors import WorkspaceError
from features.expressions import quoted
from features.intake import ORIGINAL, REASON, Taken

SHOWN_ROWS = 1000
COLUMNS = ["reason", "file", "row", "original"]
SCHEMA = pa.schema([("reason", pa.string()), ("file", pa.string()), ("row", pa.int64()), ("original", pa.string())])


def write_quarantine(engine: Engine, source: Taken, folder: Path) -> None:
    """Write <source>.parquet with every refused row, and <source>.csv with the first SHOWN_ROWS for a spreadsheet.

    Columns: reason, file, row (from 0 on in a parquet file, the line number of a broken CSV line), original
    (the values as they came, as JSON text; a broken line as it stands).
    """
    if source.counts.quarantined == 0:
        return
    broken = pa.Table.from_pylist(
        [
            {"reason": line.reason, "file": line.file, "row": line.line, "original": line.text}
            for line in source.export.broken
        ],
        SCHEMA,
    )
    query = (
        f"SELECT {REASON}, {FILE}, {ROW}, {ORIGINAL} FROM {quoted(f'judged_{source.name}')} "
        f"WHERE {REASON} IS NOT NULL ORDER BY {FILE}, {ROW}"
    )
    with told(f"writing the quarantine of {source.name}", WorkspaceError):
        with pq.ParquetWriter(folder / f"{source.name}.parquet", SCHEMA, compression="zstd") as writer:
            writer.write_table(broken)
            shown = broken.slice(0, SHOWN_ROWS)
            for batch in engine.run(query).to_arrow_reader(ROW_BATCH):
                part = pa.Table.from_batches([batch]).rename_columns(COLUMNS).cast(SCHEMA)
                writer.write_table(part)
                shown = pa.concat_tables([shown, part.slice(0, SHOWN_ROWS - len(shown))])
        with (folder / f"{source.name}.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(COLUMNS)
            rows.writerows(zip(*(shown[column].to_pylist() for column in COLUMNS), strict=True))


ROW_BATCH = 100_000
