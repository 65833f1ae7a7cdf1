"""Files that a recipe lays beside an export, so that its expressions can use their columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import ibis

from features.channels import Export, Whole, read_whole
from features.channels.export import FILE, ROW
from features.engine import Engine
from features.errors import RecipeError, SourceError, did_you_mean
from features.sources import Join, Source

Rows = TypeVar("Rows", Export, Whole)


@dataclass(frozen=True)
class Beside:
    """A joined file: one row for each of its keys, the first in the file, with the file that it stands in as FILE.

    `number` is its place among the source's joins.
    """

    number: int
    join: Join
    first: Any
    columns: tuple[str, ...]


def read_joins(engine: Engine, name: str, source: Source, folder: Path) -> tuple[Beside, ...]:
    """Read the files that the source's recipe lays beside it, once for all of its own files."""
    return tuple(read_join(engine, name, number, join, folder) for number, join in enumerate(source.join))


def read_join(engine: Engine, name: str, number: int, join: Join, folder: Path) -> Beside:
    """Read the files of one of the joins of source `name`."""
    return _read(engine, f"{name}_join{number}", number, join, folder)


def joined(name: str, export: Rows, besides: Sequence[Beside]) -> Rows:
    """Left-join files to an export; of several matches the first in the file counts.

    Columns of a joined file that the export has already, in whatever case, keep the export's values. A join
    keeps no order: where the order of rows matters the export must be numbered.
    """
    for beside in besides:
        export = _with(f"{name}_join{beside.number}", export, beside)
    return export


def _read(engine: Engine, name: str, number: int, join: Join, folder: Path) -> Beside:
    other = read_whole(engine, name, join, folder)
    if other.broken:
        broken = other.broken[0]
        raise SourceError(f"{broken.file} line {broken.line}: {broken.reason}: correct it, a joined file must be whole")
    for theirs in join.on.values():
        _check(theirs, other.columns, other.files[0], name)
    keys = list(join.on.values())
    window = ibis.window(group_by=keys, order_by=[other.table[FILE], other.table[ROW]])
    ranked = other.table.mutate(onebasket_match=ibis.row_number().over(window))
    first = ranked.filter(ranked.onebasket_match == 0).drop("onebasket_match", ROW)
    return Beside(number, join, engine.keep(f"first_{name}", first), other.columns)


def _with(name: str, export: Rows, beside: Beside) -> Rows:
    for ours in beside.join.on:
        _check(ours, export.columns, export.file if isinstance(export, Export) else export.files[0], name)
    taken = {column.lower() for column in export.columns}  # SQL does not tell ID from id
    new: list[str] = [column for column in beside.columns if column.lower() not in taken]
    keys = {f"onebasket_key{number}": key for number, key in enumerate(beside.join.on.values())}
    right = beside.first.select(*new, **{alias: beside.first[key] for alias, key in keys.items()})
    on = [_same(export.table[ours], right[alias]) for ours, alias in zip(beside.join.on, keys, strict=True)]
    places = [column for column in export.table.columns if column in {FILE, ROW}]
    table = export.table.left_join(right, on).select(*export.columns, *new, *places)
    return replace(export, table=table, columns=(*export.columns, *new))


def _same(ours: Any, theirs: Any) -> Any:
    if ours.type() == theirs.type():
        return ours == theirs
    return ours.cast("string") == theirs.cast("string")


def _check(column: str, known: Sequence[str], file: str, name: str) -> None:
    if column not in known:
        raise RecipeError(f"sources.{name}: {file} has no column {column!r} to join on{did_you_mean(column, known)}")
