"""What is known of one file of an export that was landed: its facts, and where it lies."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from features.casts import SQL_TYPES
from features.expressions import quoted
from features.tables import ORDER_LINES
from features.workspace import Workspace, landed_id


@dataclass(frozen=True)
class Landed:
    """One file of an export, landed.

    `name` is its path below the data folder, `content` the hash of its bytes, `mark` its size and time on disk;
    `joined` stands for what its rows find in joined files, `asked` for the exchange rates and product units that they
    find, '' where there are none; `days` counts its usable rows by local day where its table has days, `first_late` is
    the earliest day of rows refused because their day had not come; `first_line` as in Export. `unmapped` are those of
    order lines that its recipe says nothing of: they would be the same in every row, and are filled in on reading.
    """

    source: str
    name: str
    content: str
    mapping: str
    joined: str
    mark: str
    rows: int
    reasons: dict[str, int]
    days: dict[str, int]
    numbered: bool
    first_line: int = 0
    asked: str = ""
    first_late: str = ""
    unmapped: tuple[str, ...] | list[str] = ()

    @property
    def id(self) -> str:
        return landed_id(vars(self))

    @property
    def kept(self) -> int:
        return self.rows - sum(self.reasons.values())

    def parquet(self, workspace: Workspace) -> Path:
        return workspace.landed / self.source / self.id / "rows.parquet"

    def found(self, workspace: Workspace) -> Path:
        """What its rows found in joined files, where its source has some."""
        return workspace.landed / self.source / self.id / "found.parquet"

    def asked_of(self, workspace: Workspace) -> Path:
        """What its rows ask of exchange rates and product units, where its source asks."""
        return workspace.landed / self.source / self.id / "asked.parquet"

    def broken(self, workspace: Workspace) -> Path:
        """Lines that are no rows, where there are any."""
        return workspace.landed / self.source / self.id / "broken.json"


def alike(landed: Iterable[Landed]) -> Iterator[tuple[bool, str, list[Landed]]]:
    """Landed files that are read alike: whether they hold row numbers, SQL of the columns to fill in, and the files."""
    groups: dict[tuple[bool, tuple[str, ...]], list[Landed]] = {}
    for one in landed:
        groups.setdefault((one.numbered, tuple(one.unmapped)), []).append(one)
    for (numbered, unmapped), of_one in groups.items():
        yield numbered, "".join(f", {filled(name)} AS {quoted(name)}" for name in unmapped), of_one


def filled(name: str) -> str:
    """SQL of what stands in an unmapped column of order lines."""
    column = ORDER_LINES.column(name)
    return f"CAST({column.default or 'NULL'} AS {SQL_TYPES[column.kind]})"


def mark_of(file: Path) -> str:
    """Size and time of a file on disk, from which it is known again without reading it; '' for what is no file."""
    if not file.is_file():
        return ""
    found = file.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def name_of(file: Path, folder: Path) -> str:
    """A file's name below the data folder; its whole path where it lies elsewhere."""
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.as_posix()
