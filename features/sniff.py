"""What a file is, found out by looking at it: its format, encoding, delimiter, columns and some of its rows."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from features.errors import SourceError

SEEN_BYTES, SEEN_ROWS = 1 << 20, 2000
DELIMITERS = (",", ";", "\t", "|")
FORMATS = {".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
           ".xlsx": "excel", ".csv": "csv", ".txt": "csv", ".tsv": "csv"}  # fmt: skip


@dataclass(frozen=True)
class Sniffed:
    """A file as it looks: `rows` are some of its rows, each with a value per column (None for none)."""

    path: Path
    format: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    nested: frozenset[str] = frozenset()  # columns of JSON objects within a row's object, as outer.inner
    explode: str | None = None  # the column whose lists of objects are looked at as rows

    def values(self, column: str) -> list[Any]:
        """The values of a column that are there."""
        return [row[column] for row in self.rows if row.get(column) not in (None, "")]


def sniff(path: Path) -> Sniffed:
    """Look at a file; SourceError when it is none, empty, or of no kind that can be read."""
    if not path.is_file():
        raise SourceError(f"there is no file {path}: give the exports that a recipe shall be drafted for")
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes): export it again")
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    kind = FORMATS.get(endings[-1] if endings else "")
    if kind is None:
        raise SourceError(
            f"{path}: no kind of export ends so: it may be {', '.join(sorted(FORMATS))}, or these with .gz"
        )
    try:
        return {"parquet": _parquet, "jsonl": _jsonl, "excel": _excel, "csv": _csv}[kind](path)
    except (OSError, ValueError, EOFError, KeyError) as fault:
        raise SourceError(f"{path} cannot be read as {kind}: {fault}: export it again, or rename it") from fault


def _parquet(path: Path) -> Sniffed:
    with pq.ParquetFile(path) as file:
        groups = sorted({0, file.num_row_groups // 2, file.num_row_groups - 1} & set(range(file.num_row_groups)))
        rows: list[dict[str, Any]] = []
        for group in groups:  # the beginning, the middle and the end of what may have changed over the years
            part = next(file.iter_batches(SEEN_ROWS // len(groups), row_groups=[group]), None)
            rows += part.to_pylist() if part is not None else []
        return Sniffed(path, "parquet", tuple(file.schema_arrow.names), tuple(rows))


def _head(path: Path) -> tuple[bytes, bool]:
    """The first bytes of a file, unpacked, and whether that is all of it."""
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as stream:
        content: bytes = stream.read(SEEN_BYTES + 1)
    return content[:SEEN_BYTES], len(content) <= SEEN_BYTES


def _jsonl(path: Path) -> Sniffed:
    content, whole = _head(path)
    lines = content.decode("utf-8-sig", "ignore").splitlines()
    parsed = [json.loads(line) for line in islice(lines if whole else lines[:-1], SEEN_ROWS) if line.strip()]
    rows = [row for row in parsed if isinstance(row, dict)]
    if not rows:
        raise ValueError("its lines are no JSON objects")
    flat = [_flat(row) for row in rows]
    columns = _columns(flat)
    nested = frozenset(columns) - frozenset(_columns(rows))
    return Sniffed(path, "jsonl", columns, tuple(flat), nested=nested)


def lists_of_objects(file: Sniffed) -> list[str]:
    """The columns that hold lists of objects, such as the items of an order."""
    return [
        name for name in file.columns
        if any(isinstance(value, list) and isinstance(value[0], dict) for value in file.values(name) if value)
    ]  # fmt: skip


def exploded(file: Sniffed, column: str) -> Sniffed:
    """The file as it looks when every part of a list column is a row."""
    rows = [row | {column: part} for row in file.rows for part in row.get(column) or [None]]
    flat = [_flat(row) for row in rows]
    columns = _columns(flat)
    nested = file.nested | (frozenset(columns) - frozenset(file.columns))
    return replace(file, columns=columns, rows=tuple(flat), nested=nested, explode=column)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose inner objects' fields stand beside its own."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = value
    return flat


def _columns(rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _excel(path: Path) -> Sniffed:
    try:
        with CalamineWorkbook.from_path(path) as book:
            sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
            sheet = max(sheets, key=lambda one: one.height)  # of several the one that holds most
            lines = sheet.to_python(nrows=SEEN_ROWS + 1)
    except CalamineError as fault:
        raise ValueError(str(fault)) from fault
    if not lines:
        raise ValueError("its sheets are empty")
    names = tuple(str(name).strip() or f"column{place}" for place, name in enumerate(lines[0]))
    return Sniffed(path, "excel", names, tuple(dict(zip(names, line, strict=False)) for line in lines[1:]),
                   sheet=sheet.name)  # fmt: skip


def _csv(path: Path) -> Sniffed:
    content, whole = _head(path)
    encoding = encoding_of(content)
    text = content.decode(encoding, "ignore")
    lines = text.lstrip("\ufeff").splitlines()
    lines = [line for line in (lines if whole else lines[:-1]) if line]
    if not lines:
        raise ValueError("it holds no lines")
    delimiter = delimiter_of(lines[:200])
    records = list(islice(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter), SEEN_ROWS + 1))
    names = tuple(name.strip() or f"column{number}" for number, name in enumerate(records[0]))
    rows = tuple(dict(zip(names, record, strict=False)) for record in records[1:] if len(record) == len(names))
    return Sniffed(path, "csv", names, rows, encoding, delimiter)


def encoding_of(content: bytes) -> str:
    """The encoding of a text by its bytes: utf-8, utf-16, gb18030, cp1252 or latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for cut in range(4):  # the last character may be cut in two
        try:
            content[: len(content) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return "utf-8"
    if _in_pairs(content):
        return "gb18030"
    # between 0x80 and 0x9f Windows has signs such as €, and latin-1 nothing that is ever written
    return "cp1252" if any(0x80 <= sign < 0xA0 for sign in content) else "latin-1"


def _in_pairs(content: bytes) -> bool:
    """High bytes come in twos, as in Chinese text; in European text they mostly stand alone."""
    paired = alone = place = 0
    while place < len(content):
        if content[place] < 0x80:
            place += 1
        elif place + 1 < len(content) and content[place + 1] >= 0x80:
            paired, place = paired + 1, place + 2
        else:
            alone, place = alone + 1, place + 1
    return paired > 9 * alone


def delimiter_of(lines: list[str]) -> str:
    """The delimiter that splits most lines into as many fields as the header has, and that into the most."""

    def fit(delimiter: str) -> tuple[float, int]:
        counts = [len(record) for record in csv.reader(lines, delimiter=delimiter)]
        return (sum(count == counts[0] for count in counts) / len(counts) if counts[0] > 1 else 0.0, counts[0])

    return max(DELIMITERS, key=lambda delimiter: (round(fit(delimiter)[0], 1), fit(delimiter)[1]))
