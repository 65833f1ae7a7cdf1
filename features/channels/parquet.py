"""Parquet exports, read where they lie."""

from pathlib import Path

from features.channels.export import ROW, Export, Wanted
from features.errors import SourceError
from features.expressions import file_literal, quoted


def read_parquet(wanted: Wanted) -> Export:
    """Open a parquet file."""
    _check_ends(wanted.name, wanted.file)
    place, rows = (
        file_literal(wanted.file),
        int(wanted.engine.rows(f"SELECT num_rows FROM parquet_file_metadata({file_literal(wanted.file)})")[0][0]),
    )
    if not wanted.numbered:
        return wanted.export(f"SELECT * FROM read_parquet({place}, hive_partitioning = false)", (), rows)
    return wanted.export(
        f"SELECT * EXCLUDE (file_row_number), file_row_number AS {quoted(ROW)} "
        f"FROM read_parquet({place}, file_row_number = true, hive_partitioning = false)", (), rows,
    )  # fmt: skip


def _check_ends(name: str, file: Path) -> None:
    """A parquet file begins and ends with PAR1: one that does not was cut off or is something else."""
    with file.open("rb") as stream:
        head = stream.read(4)
        stream.seek(max(0, file.stat().st_size - 4))
        tail = stream.read(4)
    if head != b"PAR1":
        raise SourceError(f"sources.{name}: {file} is not a parquet file: set its format, or export it again")
    if tail != b"PAR1" or file.stat().st_size < 12:
        raise SourceError(f"sources.{name}: {file} is truncated: its end is missing: copy or export it again")
