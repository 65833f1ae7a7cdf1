"""Tables in partitions: a month, split into its days where it is large; what did not change is not written again.

The form of a month depends on how many order lines it has, so that the same lines give the same files.
"""

import os
import shutil
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from features.engine import Engine, told
from features.errors import WorkspaceError
from features.expressions import literal, quoted
from features.writing import PARQUET

MONTH_ROWS = 3_000_000  # order lines of a month above which its days are files of their own


def month_of(day: date) -> date:
    return day.replace(day=1)


def last_of(month: date) -> date:
    """The last day of a month."""
    return month.replace(day=monthrange(month.year, month.month)[1])


def days_of(month: date) -> list[date]:
    """Every day of a month."""
    return _stretch(month, last_of(month))


@dataclass(frozen=True)
class Form:
    """How the days of a history are laid in partitions."""

    split: frozenset[date]  # months whose days are partitions of their own

    @classmethod
    def of(cls, lines: Mapping[date, int]) -> "Form":
        """The form of a history with so many order lines a day."""
        months: dict[date, int] = {}
        for day, count in lines.items():
            months[month_of(day)] = months.get(month_of(day), 0) + count
        return cls(frozenset(month for month, count in months.items() if count > MONTH_ROWS))

    def partition(self, day: date) -> tuple[date, date]:
        """First and last day of the partition that holds `day`."""
        month = month_of(day)
        return (day, day) if month in self.split else (month, last_of(month))

    def file(self, first: date) -> str:
        """The file of the partition that begins on `first`, below its table's folder."""
        month = f"month={first:%Y-%m}"
        return f"{month}/day-{first:%d}.parquet" if month_of(first) in self.split else f"{month}/part.parquet"

    def partitions(self, days: Iterable[date]) -> list[tuple[date, date]]:
        """The partitions that hold any of `days`, in time order."""
        return sorted({self.partition(day) for day in days})

    def widened(self, days: Collection[date], before: "Form") -> set[date]:
        """`days`, and all that must be written with them: their whole partitions, and months whose form changed."""
        changed = set(self.split ^ before.split)
        whole = {day for month in changed for day in days_of(month)}
        for first, last in self.partitions(days):
            whole |= set(_stretch(first, last))
        return whole


def _nothing(first: date, last: date) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Layout:
    """How the rows of a partition lie in its file.

    `day` tells their partition and `order` sorts them; `tie` is a column that only tells equal rows apart. `columns`
    are those that are written, where not all are. `implied` gives by the first and the last day of a partition the SQL
    of columns that follow from the others, so that they need not be sorted.
    """

    order: Sequence[str]
    day: str = "day"
    tie: str | None = None
    columns: Sequence[str] = ()
    implied: Callable[[date, date], Mapping[str, str]] = _nothing

    def rows(self, view: str, first: date, last: date) -> str:
        """SQL of the rows from `first` to `last` of a relation, as they are written."""
        by = ", ".join(f"{quoted(column)} NULLS FIRST" for column in [*self.order, *([self.tie] if self.tie else [])])
        where = f"{quoted(self.day)} BETWEEN DATE '{first}' AND DATE '{last}'"
        implied = self.implied(first, last)
        sorts = ", ".join(quoted(column) for column in self.columns if column not in implied) or "*"
        rows = f"SELECT {sorts} FROM {view} WHERE {where} ORDER BY {by}"
        if not implied:
            return rows
        listed = ", ".join(f"{implied.get(column, quoted(column))} AS {quoted(column)}" for column in self.columns)
        return f"SELECT {listed} FROM ({rows})"


@dataclass
class Partitioned:
    """The partitioned tables of a snapshot under way: written anew or linked from the one before."""

    engine: Engine
    folder: Path
    before: Path | None
    form: Form
    former: Form
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    def write(self, table: str, view: str, days: Collection[date], layout: Layout, *, shared: bool = False) -> None:
        """Write the partitions that hold `days` from the relation `view`, at once where every connection sees it."""
        partitions = self.form.partitions(days)
        files = [self.folder / table / self.form.file(first) for first, _ in partitions]
        statements = []
        for (first, last), file in zip(partitions, files, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = layout.rows(view, first, last)
            statements.append(f"COPY ({rows}) TO {literal(str(file))} ({PARQUET})")
        with told(f"writing {table}", WorkspaceError):
            done = self.engine.at_once(statements) if shared else [self.engine.rows(one) for one in statements]
        for (first, _), file, written in zip(partitions, files, done, strict=True):
            self._count(table, self.form.file(first), int(written[0][0]), file)

    def _count(self, table: str, name: str, rows: int, file: Path) -> None:
        """A partition without rows is no file."""
        if rows:
            self.rows.setdefault(table, {})[name] = rows
        else:
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()

    def link(self, table: str, days: Collection[date], rows: Mapping[str, int]) -> None:
        """Take over the partitions of the snapshot before that hold none of `days`; `rows` are their counts there."""
        if self.before is None:
            return
        written = {self.former.file(first) for first, _ in self.former.partitions(days)}
        for name, count in rows.items():
            if name in written or name in self.rows.get(table, {}):
                continue
            link(self.before / table / name, self.folder / table / name)
            self.rows.setdefault(table, {})[name] = count


def _stretch(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`."""
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def link(old: Path, new: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError:
        shutil.copy2(old, new)


def chunks(days: Collection[date], lines: Mapping[date, int], most: int, form: Form) -> Iterator[list[date]]:
    """Days in time order in groups of whole partitions with about `most` order lines.

    A group is read from its first day to its last, so none reaches over days with lines that are not asked for.
    """
    group: list[date] = []
    size = 0
    for first, last in form.partitions(days):
        inside = _stretch(first, last)
        count = sum(lines.get(day, 0) for day in inside)
        passed_over = group and any(lines.get(day) for day in _stretch(group[-1], first)[1:-1])
        if group and (size + count > most or passed_over):
            yield group
            group, size = [], 0
        group += inside
        size += count
    if group:
        yield group
