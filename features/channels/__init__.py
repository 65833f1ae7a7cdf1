"""Kinds of export. A new kind is one file here and one line in CHANNELS."""

from pathlib import Path

from features.channels.csv import read_csv
from features.channels.export import Export, Format, Reader
from features.channels.files import files_of, format_of
from features.channels.parquet import read_parquet
from features.engine import Engine

CHANNELS: dict[str, Reader] = {
    "csv": read_csv,
    "parquet": read_parquet,
}

__all__ = ["CHANNELS", "Export", "read_export"]


def read_export(engine: Engine, name: str, source: Format, folder: Path) -> Export:
    """Open the export that `source` describes; relative paths start at `folder`.

    Raises SourceError when a file is missing, empty, truncated or in another encoding.
    """
    files = files_of(source.path, folder, name)
    return CHANNELS[format_of(source, files, CHANNELS)](engine, name, files, source)
