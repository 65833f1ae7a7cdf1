"""Expressions of a recipe stay within the row."""

import pytest

from features.errors import RecipeError
from features.expressions import scalar

COLUMNS = ["InvoiceNo", "Quantity", "UnitPrice"]


@pytest.mark.parametrize("expression", [
    "Quantity", "upper(InvoiceNo) || '-x'", "CASE WHEN Quantity > 1 THEN Quantity / 1000.0 ELSE Quantity END",
    "[InvoiceNo, 'a']", "list_transform([InvoiceNo], part -> part || 'b')", "DATE '2017-01-01' + Quantity", "'all'",
])  # fmt: skip
def test_a_scalar_expression_over_the_columns_is_taken(expression: str) -> None:
    assert scalar(expression, COLUMNS, "sources.x").sql


@pytest.mark.parametrize("expression", [
    "(SELECT 1)", "InvoiceNo IN (SELECT InvoiceNo FROM other)", "sum(Quantity)", "row_number() OVER ()", "now()",
    "current_date", "current_timestamp", "random()", "uuid()", "getenv('HOME')", "current_setting('threads')",
    "read_text('/etc/passwd')", "nextval('x')", "*",
])  # fmt: skip
def test_an_expression_that_reaches_beyond_the_row_is_refused(expression: str) -> None:
    with pytest.raises(RecipeError, match=r"sources\.x: .*reaches beyond the row"):
        scalar(expression, COLUMNS, "sources.x")


@pytest.mark.parametrize(
    "expression", ["Quantity; DROP TABLE x", "Quantity FROM t", "Quantity, UnitPrice", "DROP TABLE x"]
)
def test_a_statement_is_refused(expression: str) -> None:
    with pytest.raises(RecipeError, match=r"sources\.x: "):
        scalar(expression, COLUMNS, "sources.x")


def test_a_misspelt_column_gets_a_suggestion() -> None:
    with pytest.raises(RecipeError, match=r"no column 'Quantty' \(did you mean 'Quantity'\?\)"):
        scalar("Quantty * 2", COLUMNS, "sources.x")


def test_a_name_for_the_result_is_refused_with_the_remedy() -> None:
    with pytest.raises(RecipeError, match="leave out AS"):
        scalar("Quantity AS units", COLUMNS, "sources.x")


def test_columns_are_found_whatever_their_case() -> None:
    assert scalar("quantity", COLUMNS, "sources.x").sql == '"quantity"'


def test_a_cast_gives_null_instead_of_failing_and_says_when() -> None:
    found = scalar("CAST(Quantity AS INTEGER)", COLUMNS, "sources.x")
    assert found.sql == 'TRY_CAST("Quantity" AS INT)'
    assert found.unreadable is not None
