"""Parquet exports, read where they lie."""

from pathlib import Path

from features.channels.export import FILE, ROW, Export, Format
from features.engine import Engine, told
from features.errors import SourceError
from features.expressions import literal, quoted


def read_parquet(engine: Engine, name: str, files: list[Path], source: Format) -> Export:
    """Open parquet files as one table; columns that some files lack are null there."""
    for file in files:
        _check_ends(name, file)
    listed = "[" + ", ".join(literal(str(file)) for file in files) + "]"
    reader = (
        f"read_parquet({listed}, union_by_name = true, filename = {literal(FILE)}, file_row_number = true, "
        "hive_partitioning = false)"
    )
    view = f"export_{name}"
    with told(f"sources.{name}: cannot read {files[0] if len(files) == 1 else source.path}"):
        engine.run(
            f"CREATE OR REPLACE VIEW {quoted(view)} AS "
            f"SELECT * EXCLUDE (file_row_number), file_row_number AS {quoted(ROW)} FROM {reader}"
        )
        table = engine.ibis.table(view)
    columns = tuple(column for column in table.columns if column not in {FILE, ROW})
    return Export(table, columns, tuple(str(file) for file in files))


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
