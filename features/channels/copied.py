"""Exports that are no file which DuckDB can read: their rows are copied to a parquet file in scratch.

Scratch is removed with the ingest, and by the next one after a crash, so no raw row is kept.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.channels.export import Export, Wanted, counted
from features.engine import Engine
from features.errors import SourceError
from features.expressions import file_literal, quoted

ROWS = 50_000  # of one batch


@dataclass(frozen=True)
class Copied:
    """A copied export: the parquet file, and the SELECT over it that gives its columns their types."""

    file: Path
    select: str

    @property
    def rows(self) -> int:
        return int(pq.read_metadata(self.file).num_rows)

    def content(self, engine: Engine) -> str:
        """SHA-256 of the rows as a set: in whatever order a database gives them, equal rows hash alike."""
        names = pq.read_schema(self.file).names
        row = "md5_number(CAST(to_json(struct_pack({})) AS VARCHAR))".format(
            ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
        )
        query = (
            f"SELECT count(*), bit_xor(hash), sum(CAST(hash % 1000000000000007 AS HUGEINT)) "
            f"FROM (SELECT {row} AS hash FROM read_parquet({file_literal(self.file)}))"
        )
        facts = [self.select.split(" FROM read_parquet", 1)[0], *map(str, engine.rows(query)[0])]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def export(self, wanted: Wanted) -> Export:
        return wanted.export(counted(f"({self.select})") if wanted.numbered else self.select, (), self.rows)


@contextmanager
def writing(wanted: Wanted, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A parquet file in scratch that is there once it is whole."""
    target = copy_of(wanted)
    part = target.with_suffix(".part")
    with pq.ParquetWriter(part, schema, compression="zstd", compression_level=1) as writer:
        yield writer
    part.rename(target)


def copy_of(wanted: Wanted) -> Path:
    """Where the copy of a source's file lies while an ingest runs."""
    place = hashlib.sha256(wanted.place.encode()).hexdigest()[:16]
    return wanted.engine.scratch / f"copied-{wanted.name}-{place}.parquet"


def as_written(wanted: Wanted) -> Copied:
    """A copy whose parquet types are those of its columns."""
    return Copied(copy_of(wanted), f"SELECT * FROM read_parquet({file_literal(copy_of(wanted))})")


def as_types(wanted: Wanted, types: dict[str, str]) -> Copied:
    """A copy of texts, each column cast to its SQL type."""
    columns = ", ".join(
        quoted(name) if kind == "VARCHAR" else f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}"
        for name, kind in types.items()
    )
    return Copied(copy_of(wanted), f"SELECT {columns} FROM read_parquet({file_literal(copy_of(wanted))})")


def copy_values(wanted: Wanted, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Copied:
    """Copy rows of Python values; a column's type is the one that all of its values share, else text."""
    check_names(wanted, names)
    schema = pa.schema([(name, pa.string()) for name in names])
    seen: list[set[type]] = [set() for _ in names]
    rows = iter(rows)
    with writing(wanted, schema) as writer:
        while batch := list(islice(rows, ROWS)):
            columns = list(zip(*batch, strict=True))
            for kinds, column in zip(seen, columns, strict=True):
                kinds.update(map(_kind, column))
            writer.write_batch(pa.record_batch([_texts(column) for column in columns], schema=schema))
    return as_types(wanted, {name: _type(kinds - {type(None)}) for name, kinds in zip(names, seen, strict=True)})


def copy_texts(wanted: Wanted, names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Copy rows of texts as they are."""
    check_names(wanted, names)
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = iter(rows)
    with writing(wanted, schema) as writer:
        while batch := list(islice(rows, ROWS)):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def check_names(wanted: Wanted, names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    twice = sorted({name for name in names if lower.count(name.lower()) > 1})
    if twice:
        raise SourceError(
            f"sources.{wanted.name}: {wanted.place} names columns twice ({', '.join(twice)}): rename them in the export"
        )


def decimal_type(wanted: Wanted, column: str) -> str:
    """The decimal type that holds every number of a copied column of texts to the last digit, else text."""
    query = (
        "SELECT max(length(split_part(trim(n, '-'), '.', 1))), max(length(split_part(n, '.', 2))), "
        "coalesce(bool_and(regexp_full_match(n, '-?\\d+(\\.\\d+)?')), false) "
        f"FROM (SELECT {quoted(column)} AS n FROM read_parquet({file_literal(copy_of(wanted))}) "
        f"WHERE {quoted(column)} IS NOT NULL)"
    )
    whole, parts, numbers = wanted.engine.rows(query)[0]
    return f"DECIMAL({max(18, whole + parts)}, {parts})" if numbers and whole + parts <= 38 else "VARCHAR"


def _kind(value: Any) -> type:
    """A whole number is an int, also where a spreadsheet knows floats only."""
    return int if type(value) is float and value.is_integer() and abs(value) < 1e15 else type(value)


def _type(kinds: set[type]) -> str:
    for known, name in (
        ({int}, "BIGINT"), ({int, float}, "DOUBLE"), ({bool}, "BOOLEAN"), ({date}, "DATE"),
        ({date, datetime}, "TIMESTAMP"),
    ):  # fmt: skip
        if kinds and kinds <= known:
            return name
    return "VARCHAR"


def _texts(column: Sequence[Any]) -> pa.Array:
    return pa.array([value if value is None or type(value) is str else _text(value) for value in column], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(int(value)) if isinstance(value, float) and _kind(value) is int else str(value)


Copy = Callable[[Wanted], Copied]
