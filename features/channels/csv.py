"""CSV exports: every line becomes a row of texts or is listed as broken; none is lost.

The file is first read line by line: its encoding is checked, gz and other encodings become a temporary utf-8
file, and a quote that is never closed costs its own line only. DuckDB then splits the lines, and its count of
rows must agree with ours.
"""

import codecs
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from csv import reader as csv_reader
from pathlib import Path
from typing import TextIO

from features.channels.export import Broken, Export, Format, Wanted, counted
from features.channels.lines import Records, records_of
from features.errors import RecipeError, SourceError
from features.expressions import literal

MAX_LINE_BYTES = 16 * 1024 * 1024


def read_csv(wanted: Wanted) -> Export:
    """Read a CSV file into texts, empty fields null."""
    name, file, source = wanted.name, wanted.file, wanted.source
    if len(source.delimiter) != 1:
        raise RecipeError(f'sources.{name}: delimiter {source.delimiter!r} is not one character: write such as ";"')
    header = _header(name, file, source)
    clean = wanted.engine.scratch / f"clean-{name}.csv"
    with _opened(name, file, source) as lines, clean.open("w", encoding="utf-8", newline="") as target:
        records = records_of(lines, source.delimiter, len(header), target)
    relation = _relation(clean, header, source)
    _check_whole(name, file, int(wanted.engine.rows(f"SELECT count(*) FROM {relation}")[0][0]), records)
    broken = tuple(Broken(str(file), line.number, line.text, line.reason) for line in records.broken)
    return wanted.export(counted(relation) if wanted.numbered else f"SELECT * FROM {relation}", broken)


@contextmanager
def _opened(name: str, file: Path, source: Format) -> Iterator[TextIO]:
    """Open a file as text, unpacked; SourceError when it is not what the recipe says."""
    encoding = _encoding(name, source)
    with file.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    opened = gzip.open if packed else open
    try:
        with opened(file, "rt", encoding=encoding, newline="") as stream:
            yield stream
    except (UnicodeDecodeError, UnicodeError) as fault:
        raise SourceError(
            f"sources.{name}: {file} is not written in {source.encoding}: set its encoding in the recipe, "
            f'such as "gbk", "latin-1" or "utf-16" ({fault})'
        ) from fault
    except (EOFError, gzip.BadGzipFile) as fault:
        raise SourceError(
            f"sources.{name}: {file} is truncated or not gzip: copy or export it again ({fault})"
        ) from fault


def _encoding(name: str, source: Format) -> str:
    try:
        known = codecs.lookup(source.encoding).name
    except LookupError as fault:
        raise RecipeError(
            f"sources.{name}: unknown encoding {source.encoding!r}: such as utf-8, gbk or latin-1"
        ) from fault
    return "utf-8-sig" if known == "utf-8" else known


def _header(name: str, file: Path, source: Format) -> list[str]:
    with _opened(name, file, source) as stream:
        header = next(csv_reader(stream, delimiter=source.delimiter), [])
    names = [column.strip() or f"column{number}" for number, column in enumerate(header)]
    twice = sorted({column for column in names if [other.lower() for other in names].count(column.lower()) > 1})
    if not header:
        raise SourceError(f"sources.{name}: {file} has no header line: its first line must name the columns")
    if twice:
        raise SourceError(f"sources.{name}: {file} names columns twice ({', '.join(twice)}): rename them in the export")
    return names


def _relation(clean: Path, header: list[str], source: Format) -> str:
    described = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    return (
        f"read_csv({literal(str(clean))}, columns = {{{described}}}, auto_detect = false, header = true, "
        f"delim = {literal(source.delimiter)}, quote = '\"', escape = '\"', new_line = '\\n', "
        f"max_line_size = {MAX_LINE_BYTES}, parallel = false)"
    )


def _check_whole(name: str, file: Path, rows: int, records: Records) -> None:
    if rows != records.good:
        raise SourceError(
            f"sources.{name}: {file} holds {records.good} rows, of which {rows} could be split: check its delimiter "
            "and quotes, or export it again"
        )
