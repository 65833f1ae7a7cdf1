"""Excel and OpenDocument sheets: the first row that is not empty names the columns."""

import zipfile
from collections.abc import Iterator
from typing import Any

from features.channels.copied import Copied, copy_values
from features.channels.export import Wanted
from features.errors import RecipeError, SourceError, did_you_mean


def copy_excel(wanted: Wanted) -> Copied:
    """Copy a sheet; rows without any value are left out, and dates, numbers and texts stay what they are."""
    # imported here, as every reader's library, so that a recipe without Excel does not wait for it
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(wanted.file))
        sheet = wanted.source.sheet or book.sheet_names[0]
        if sheet not in book.sheet_names:
            raise RecipeError(
                f"sources.{wanted.name}: {wanted.file} has no sheet {sheet!r}{did_you_mean(sheet, book.sheet_names)}: "
                f"it has {', '.join(book.sheet_names)}"
            )
        rows = _rows(book.get_sheet_by_name(sheet).iter_rows())
        header = next(rows, None)
        if header is None:
            raise SourceError(f"sources.{wanted.name}: the sheet {sheet!r} of {wanted.file} is empty: export it again")
        # what a spreadsheet counts as its width may be more than its header
        width = max(number for number, name in enumerate(header, 1) if name is not None)
        names = [
            str(name).strip() if name is not None else f"column{place}" for place, name in enumerate(header[:width])
        ]
        return copy_values(wanted, names, _cut(wanted, rows, width))
    except (CalamineError, zipfile.BadZipFile, OSError) as fault:
        raise SourceError(
            f"sources.{wanted.name}: {wanted.file} is no spreadsheet or is truncated: save or export it again ({fault})"
        ) from fault


def _rows(rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """The rows that hold a value; an empty cell is null."""
    for row in rows:
        values = [None if value == "" else value for value in row]
        if any(value is not None for value in values):
            yield values


def _cut(wanted: Wanted, rows: Iterator[list[Any]], width: int) -> Iterator[list[Any]]:
    for row in rows:
        if any(value is not None for value in row[width:]):
            raise SourceError(
                f"sources.{wanted.name}: {wanted.place} has values beside its last named column: "
                "name their column, or remove them"
            )
        yield row[:width]
