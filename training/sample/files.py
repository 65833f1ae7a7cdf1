"""Files of exports, named by their day and written in the order of days."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from training.sample.layouts import STREAMS, Part, Stream
from training.sample.plan import Plan

FAST = 1  # of gzip's levels


def period(plan: Plan, day: int) -> str:
    """The part of a file's name that says its day, month, or first day of all."""
    date = plan.date(day)
    return {"day": f"{date:%Y%m%d}", "month": f"{date:%Y%m}", "whole": f"{plan.starts_on:%Y%m%d}"}[plan.files]


def file_name(plan: Plan, stream: str, day: int) -> str:
    """The file of a stream that holds a day, from the sample's folder on."""
    shape = STREAMS[stream]
    return f"exports/{shape.folder}/{shape.prefix}{period(plan, day)}{shape.ending}"


class StreamWriter:
    """Writes one stream; days come in ascending order, and a file is whole when the next begins or on closing."""

    def __init__(self, plan: Plan, name: str, folder: Path) -> None:
        self._plan, self._name, self._folder = plan, name, folder
        self._shape: Stream = STREAMS[name]
        self._path: Path | None = None
        self._raw: IO[bytes] | None = None
        self._out: Any = None

    def write(self, day: int, parts: list[Part]) -> None:
        path = self._folder / file_name(self._plan, self._name, day)
        if path != self._path:
            self.close()
            self._path = path
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open(path, parts)
        for part in parts:
            self._out.write_table(part) if self._shape.kind == "parquet" else self._out.write(part)

    def _open(self, path: Path, parts: list[Part]) -> None:
        if self._shape.kind == "parquet":
            self._out = pq.ParquetWriter(path, parts[0].schema, compression="snappy")
            return
        self._raw = path.open("wb")
        # neither name nor clock in the gzip header, so that equal days are equal bytes
        self._out = self._raw if self._shape.kind == "text" else \
            gzip.GzipFile("", "wb", FAST, self._raw, mtime=0)  # fmt: skip
        self._out.write(self._shape.header.encode(self._shape.encoding))

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
        if self._raw is not None:
            self._raw.close()
        self._out = self._raw = None


@contextmanager
def writers(plan: Plan, folder: Path) -> Iterator[dict[str, StreamWriter]]:
    """A writer for each stream, closed at the end."""
    opened = {name: StreamWriter(plan, name, folder) for name in STREAMS}
    try:
        yield opened
    finally:
        for writer in opened.values():
            writer.close()
