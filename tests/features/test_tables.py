"""The vocabulary and its page."""

from pathlib import Path

import pytest

from features.table_docs import tables_page
from features.tables import TABLES, Table


def test_the_page_of_tables_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text("utf-8") == tables_page(), "run python -m features.tables"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_key_is_made_of_columns_and_every_column_has_a_meaning(table: Table) -> None:
    assert set(table.key) <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)
    assert all(column.meaning for column in table.columns)
