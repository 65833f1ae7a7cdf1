"""Kinds of export. A new kind is one file here and one line in READ, or in COPIED."""

from pathlib import Path

from features.channels.copied import Copied, Copy, copy_of
from features.channels.csv import read_csv
from features.channels.excel import copy_excel
from features.channels.export import Export, Format, Reader, Wanted, Whole
from features.channels.files import files_of, format_of
from features.channels.jsonl import read_jsonl
from features.channels.mysql import copy_mysql
from features.channels.parquet import read_parquet
from features.channels.postgres import copy_postgres
from features.channels.sqlite import copy_sqlite
from features.channels.tables import copy_table
from features.digests import hash_of
from features.engine import Engine, told
from features.expressions import literal, quoted

READ: dict[str, Reader] = {"csv": read_csv, "parquet": read_parquet, "jsonl": read_jsonl}
COPIED: dict[str, Copy] = {
    "excel": copy_excel,
    "sqlite": copy_sqlite,
    "postgres": copy_postgres,
    "mysql": copy_mysql,
    "ibis": copy_table,
}
CHANNELS = frozenset(READ) | frozenset(COPIED)
DATABASES = frozenset(COPIED) - {"excel"}

__all__ = ["CHANNELS", "Export", "Whole", "content_of", "files_of", "format_of", "read_export", "read_whole"]


def read_export(engine: Engine, name: str, source: Format, file: Path, *, numbered: bool) -> Export:
    """Open one file of the export that `source` describes, as the view export_<name> of its rows in file order.

    Nothing is copied where the file can be read as it lies. `numbered` adds the column ROW, which costs the
    parallel reading of a CSV file. Raises SourceError when the file is truncated or in another encoding.
    """
    kind = format_of(source, [file], CHANNELS)
    wanted = Wanted(engine, name, source, file, numbered)
    with told(f"sources.{name}: cannot read {wanted.place}"):
        return READ[kind](wanted) if kind in READ else _copied(wanted, kind).export(wanted)


def content_of(engine: Engine, name: str, source: Format, file: Path) -> str:
    """A hash of a file's bytes; of a database's relation that of its rows, which are copied to be read next."""
    kind = format_of(source, [file], CHANNELS)
    wanted = Wanted(engine, name, source, file, numbered=False)
    with told(f"sources.{name}: cannot read {wanted.place}"):
        if kind in DATABASES:
            return _copied(wanted, kind).content(engine)
        return hash_of(file)


def _copied(wanted: Wanted, kind: str) -> Copied:
    """The copy of an export, made once in an ingest: its content is that of the rows that are read."""
    place, note = copy_of(wanted), copy_of(wanted).with_suffix(".sql")
    if not note.exists():
        note.write_text(COPIED[kind](wanted).select, "utf-8")
    return Copied(place, note.read_text("utf-8"))


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
