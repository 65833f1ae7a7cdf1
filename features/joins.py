"""Files that a recipe lays beside an export, so that its expressions can use their columns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis

from features.channels import Export, read_export
from features.channels.export import FILE, ROW
from features.engine import Engine
from features.errors import RecipeError, SourceError, did_you_mean
from features.sources import Join, Source


def joined(engine: Engine, name: str, source: Source, export: Export, folder: Path) -> Export:
    """Left-join the source's files to the export; of several matches the first in the file counts.

    Columns of a joined file that the export has already, in whatever case, keep the export's values.
    """
    for number, join in enumerate(source.join):
        export = _beside(engine, f"{name}_join{number}", join, export, folder)
    return export


def _beside(engine: Engine, name: str, join: Join, export: Export, folder: Path) -> Export:
    other = read_export(engine, name, join, folder)
    if other.broken:
        broken = other.broken[0]
        raise SourceError(f"{broken.file} line {broken.line}: {broken.reason}: correct it, a joined file must be whole")
    for ours, theirs in join.on.items():
        _check(ours, export, name)
        _check(theirs, other, name)
    keys = list(join.on.values())
    window = ibis.window(group_by=keys, order_by=[other.table[FILE], other.table[ROW]])
    first = other.table.mutate(onebasket_match=ibis.row_number().over(window))
    first = first.filter(first.onebasket_match == 0).drop("onebasket_match", FILE, ROW)
    taken = {column.lower() for column in export.columns}  # SQL does not tell ID from id
    new = [column for column in other.columns if column.lower() not in taken]
    right = first.select(*new, **{f"onebasket_key{i}": first[key] for i, key in enumerate(keys)})
    on = [_same(export.table[ours], right[f"onebasket_key{i}"]) for i, ours in enumerate(join.on)]
    table = export.table.left_join(right, on).select(*export.columns, *new, FILE, ROW)
    return replace(export, table=table, columns=(*export.columns, *new))


def _same(ours: Any, theirs: Any) -> Any:
    if ours.type() == theirs.type():
        return ours == theirs
    return ours.cast("string") == theirs.cast("string")


def _check(column: str, export: Export, name: str) -> None:
    if column not in export.columns:
        raise RecipeError(
            f"sources.{name}: {export.files[0]} has no column {column!r} to join on"
            f"{did_you_mean(column, export.columns)}"
        )
