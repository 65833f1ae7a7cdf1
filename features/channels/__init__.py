"""Kinds of export. A new kind is one file here and one line in CHANNELS."""

import hashlib
from pathlib import Path

from features.channels.csv import read_csv
from features.channels.export import Export, Format, Reader, Wanted, Whole
from features.channels.files import files_of, format_of
from features.channels.parquet import read_parquet
from features.engine import Engine, told
from features.expressions import literal, quoted

CHANNELS: dict[str, Reader] = {
    "csv": read_csv,
    "parquet": read_parquet,
}

__all__ = ["CHANNELS", "Export", "Whole", "content_of", "files_of", "format_of", "read_export", "read_whole"]


def read_export(engine: Engine, name: str, source: Format, file: Path, *, numbered: bool) -> Export:
    """Open one file of the export that `source` describes, as the view export_<name> of its rows in file order.

    Nothing is copied where the file can be read as it lies. `numbered` adds the column ROW, which costs the
    parallel reading of a CSV file. Raises SourceError when the file is truncated or in another encoding.
    """
    reader = CHANNELS[format_of(source, [file], CHANNELS)]
    with told(f"sources.{name}: cannot read {file}"):
        return reader(Wanted(engine, name, source, file, numbered))


def read_whole(engine: Engine, name: str, source: Format, folder: Path) -> Whole:
    """Stage every file of a small export in one table; a column that some files lack is null there."""
    exports = []
    for number, file in enumerate(files_of(source.path, folder, name)):
        export = read_export(engine, name, source, file, numbered=True)
        exports.append(export)
        part = quoted(f"whole_{name}_{number}")
        with told(f"sources.{name}: cannot read {export.file}"):
            engine.run(
                f"CREATE OR REPLACE TABLE {part} AS SELECT *, {literal(export.file)} AS onebasket_file "
                f"FROM {quoted(f'export_{name}')}"
            )
            export.check(int(engine.rows(f"SELECT count(*) FROM {part}")[0][0]))
    parts = (f"SELECT * FROM {quoted(f'whole_{name}_{number}')}" for number in range(len(exports)))
    with told(f"sources.{name}: the files of {source.path} do not fit together"):
        engine.run(f"CREATE OR REPLACE VIEW {quoted(f'whole_{name}')} AS {' UNION ALL BY NAME '.join(parts)}")
        table = engine.ibis.table(f"whole_{name}")
    columns = tuple(dict.fromkeys(column for export in exports for column in export.columns))
    broken = tuple(line for export in exports for line in export.broken)
    return Whole(table, columns, tuple(export.file for export in exports), broken)


def content_of(source: Format, file: Path) -> str:
    """The hash of what a file holds."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
