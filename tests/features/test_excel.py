"""Excel sheets, written by another library than the one that reads them."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from features.errors import RecipeError, SourceError


def book(file: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    written = Workbook()
    written.remove(written.active)
    for name, rows in sheets.items():
        sheet = written.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written.save(file)
    return file


def test_dates_numbers_and_ids_stay_what_they_are(desk: Any, tmp_path: Path) -> None:
    file = book(tmp_path / "orders.xlsx", {"Bestellungen": [
        [], ["编号", "customer", "day", "at", "paid", "units", "mixed", "gift"],
        ["00123", 17850, date(2024, 3, 1), datetime(2024, 3, 1, 10, 30), 4.1, 2, 7, True],
        [],
        ["A-1", 17851, date(2024, 3, 2), None, -2, 1, "x", False],
        [None] * 8,
    ]})  # fmt: skip
    export = desk.open(file, numbered=True)
    assert export.columns == ("编号", "customer", "day", "at", "paid", "units", "mixed", "gift")
    first, second = desk.rows()
    assert first == ("00123", 17850, date(2024, 3, 1), datetime(2024, 3, 1, 10, 30), 4.1, 2, "7", True, 0)
    assert second == ("A-1", 17851, date(2024, 3, 2), None, -2.0, 1, "x", False, 1)


def test_a_sheet_is_found_by_its_name(desk: Any, tmp_path: Path) -> None:
    file = book(tmp_path / "orders.xlsx", {"one": [["a"], [1]], "two": [["b"], ["x"]]})
    assert desk.open(file, sheet="two").file == f"{file}/two"
    assert desk.rows() == [("x",)]
    with pytest.raises(RecipeError, match=r"no sheet 'tow' \(did you mean 'two'\?\): it has one, two"):
        desk.open(file, sheet="tow")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "the sheet 'one' of .* is empty"),
        ([["a", "A"], [1, 2]], "names columns twice"),
        ([["a"], [1, 2]], "values beside its last named column"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused(desk: Any, tmp_path: Path, rows: list[list[Any]], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        desk.open(book(tmp_path / "orders.xlsx", {"one": rows}))


def test_what_is_no_spreadsheet_is_refused(desk: Any, tmp_path: Path) -> None:
    file = book(tmp_path / "orders.xlsx", {"one": [["a"], [1]]})
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(SourceError, match="is no spreadsheet or is truncated"):
        desk.open(file)
