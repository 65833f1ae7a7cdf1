"""What every kind of export is read into."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from features.engine import Engine

FILE = "onebasket_file"  # the file that a row came from
ROW = "onebasket_row"  # its place in that file, from 0 on


class Format(Protocol):
    """How the files of an export are written: the part of Source and Join that channels read."""

    @property
    def path(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def delimiter(self) -> str: ...
    @property
    def encoding(self) -> str: ...


@dataclass(frozen=True)
class Broken:
    """A line that is no row: its file, its number from 1 on, its text and what is wrong with it."""

    file: str
    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Export:
    """An export's rows as an Ibis table with the columns FILE and ROW beside its own, and its broken lines."""

    table: Any
    columns: tuple[str, ...]
    files: tuple[str, ...]
    broken: tuple[Broken, ...] = field(default=())


Reader = Callable[[Engine, str, list[Path], Format], Export]
