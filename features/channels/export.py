"""What every kind of export is read into: one file at a time, and a small one whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from features.engine import Engine
from features.errors import SourceError, did_you_mean
from features.expressions import quoted

FILE = "onebasket_file"  # the file that a row came from
ROW = "onebasket_row"  # its place in that file, from 0 on
NOTHING = "onebasket_nothing"  # the only column of a file that holds nothing: a view has to have one


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
    @property
    def sheet(self) -> str | None: ...
    @property
    def relation(self) -> str | None: ...
    @property
    def explode(self) -> str | None: ...


@dataclass(frozen=True)
class Broken:
    """A line that is no row: its file, its number from 1 on, its text and what is wrong with it."""

    file: str
    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Export:
    """The rows of one file as an Ibis table in file order, and its broken lines, which are not in the table.

    `table` reads the view `export_<name>`; it has the BIGINT column ROW only where `numbered`. `rows` is how many
    rows it must give, where that was counted apart from the reading: hold what was read against it. `first_line` is
    the line of the first row where every row is one line, broken ones aside; 0 where that is not known.
    """

    table: Any
    columns: tuple[str, ...]
    file: str
    broken: tuple[Broken, ...] = field(default=())
    numbered: bool = False
    rows: int | None = None
    first_line: int = 0

    def check(self, rows: int) -> None:
        """Raise SourceError if another number of rows was read than was counted."""
        if self.rows is not None and rows != self.rows:
            raise SourceError(
                f"{self.file} holds {self.rows} rows, of which {rows} could be read: check its delimiter and quotes, "
                "or export it again"
            )


@dataclass(frozen=True)
class Whole:
    """The rows of every file of a source in one staged table, with the columns FILE and ROW beside its own."""

    table: Any
    columns: tuple[str, ...]
    files: tuple[str, ...]
    broken: tuple[Broken, ...] = field(default=())


@dataclass(frozen=True)
class Wanted:
    """One file to read: for the source `name`, described by `source`, with the place of each row if `numbered`."""

    engine: Engine
    name: str
    source: Format
    file: Path
    numbered: bool

    @property
    def place(self) -> str:
        """How the file is called in messages and beside its rows: with the sheet or relation, if there is one."""
        part = self.source.relation or self.source.sheet
        return f"{self.file}/{part}" if part else str(self.file)

    @property
    def view(self) -> str:
        return f"export_{self.name}"

    def export(
        self, select: str, broken: tuple[Broken, ...] = (), rows: int | None = None, first_line: int = 0
    ) -> Export:
        """The export whose rows a SELECT gives, ROW among them where it is wanted."""
        if self.source.explode and rows != 0:
            select, rows, first_line = self._exploded(select, self.source.explode), None, 0
        self.engine.run(f"CREATE OR REPLACE VIEW {quoted(self.view)} AS {select}")
        table = self.engine.ibis.table(self.view)
        columns = tuple(column for column in table.columns if column not in {ROW, NOTHING})
        return Export(table, columns, self.place, broken, self.numbered, rows, first_line)

    def _exploded(self, select: str, column: str) -> str:
        """SELECT a row per part of a list column; a row whose list is empty stays one, with null in its place."""
        types = {row[0]: row[1] for row in self.engine.rows(f"DESCRIBE {select}")}
        if not types.get(column, "").endswith("[]"):
            lists = [name for name, kind in types.items() if kind.endswith("[]")]
            what = "is no list" if column in types else f"is no column{did_you_mean(column, list(types))}"
            raise SourceError(
                f"sources.{self.name}.explode: {column!r} {what} in {self.place}: lists there are "
                f"{', '.join(lists) or 'none'}"
            )
        name, place = quoted(column), quoted(ROW)
        parts = f"unnest(CASE WHEN len({name}) > 0 THEN {name} ELSE [NULL] END)"
        if not self.numbered:
            return f"SELECT * REPLACE ({parts} AS {name}) FROM ({select})"
        several = f"SELECT * EXCLUDE ({place}) REPLACE ({parts} AS {name}) FROM (FROM ({select}) ORDER BY {place})"
        return counted(f"({several})")

    def nothing(self) -> Export:
        """The export of a file without a byte: no rows, and no columns that it could name."""
        number = f", CAST(NULL AS BIGINT) AS {quoted(ROW)}" if self.numbered else ""
        return self.export(f"SELECT CAST(NULL AS VARCHAR) AS {quoted(NOTHING)}{number} WHERE false", (), 0)


def counted(relation: str) -> str:
    """SELECT the rows of a relation that DuckDB gives in file order, each with its place."""
    return f"SELECT *, row_number() OVER () - 1 AS {quoted(ROW)} FROM {relation}"


Reader = Callable[[Wanted], Export]
