"""An export is mapped, cast and judged on Spark as on DuckDB, whatever its values are."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features.channels.export import Export
from features.dialects import spark_sql
from features.judging import CONTENT, ORIGINAL, REASON, Door, judged
from features.sources import Intake
from tests.fixtures.two_engines import TwoEngines, needs_java, two_engines

pytestmark = pytest.mark.filterwarnings("ignore")
TEXTS = dict.fromkeys(
    ("line", "order", "account", "product", "sold_at", "quantity", "paid", "unit", "gift", "handed"), "string"
)
COLUMNS = {
    "source_line_id": "nullif(line, '')", "order_id": '"order"', "channel_customer_id": "account",
    "product_id": "upper(product)", "quantity": "quantity", "net_amount": "paid", "ordered_at": "sold_at",
    "unit": "unit", "gift": "gift", "fulfilled_at": "strptime(handed, '%d.%m.%Y %H:%M')", "status": "status",
    "currency": "currency",
}  # fmt: skip
TIMES = (
    "2024-03-01 10:00:00", "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-3-1 7:05",
    "2024/03/01 23:59:59.5", "2024-03-01",
    "2024-03-01T10:00:00Z", "2024-03-01T10:00:00+08:00", "2024-03-01 10:00:00-0330", "2024-03-01 10:00:00+02",
    "2024", "2024-03", "2024-02-30 10:00:00", "01.03.2024", "noon", "", None, "1970-01-01 00:00:00", "2024-03-01 10",
    "2099-01-01 00:00:00", "  2024-03-01 10:00:00", "2024-03-01  10:00:00",
)  # fmt: skip
NUMBERS = (
    "1", "2.5", "-1", "1e3", "1.00005", " 3 ", "+4", ".5", "7.", "1,5", "1_000", "１", "2d", "0x10", "nan", "NaN",
    "inf", "", None, "two", "0", "1e30", "99999999999999999999", "--1",
)  # fmt: skip
GIFTS = ("true", "FALSE", "t", "no", "1", "0", " 1", "maybe", "", None)
ACCOUNTS = (
    "ann",
    "call 13812345678",
    "电话13812345678",
    "13812345678",
    "ann@example.com",
    "008613812345678",
    " ",
    "",
    None,
)
UNITS = ("kg", "斤", "g", "打", "oz", "箱", "", None)


def intake(**other: Any) -> Intake:
    source = {"table": "order_lines", "path": "x", "columns": COLUMNS,
              "values": {"status": {"ok": "completed", "void": "cancelled"}},
              "quarantine": [{"when": "product = 'POSTAGE'", "reason": "a fee"}], **other}  # fmt: skip
    retailer = {"name": "corner", "time_zone": "Europe/Berlin", "country": "CN", "currency": "EUR"}
    return Intake.model_validate(
        {"retailer": retailer, "sources": {"till": source}, "units": {"箱": {"unit": "each", "times": "24"}}}
    )


def rows() -> list[dict[str, Any]]:
    """A usable row with each odd value in its turn."""
    plain = {"line": "", "order": "o1", "account": "ann", "product": "milk", "sold_at": "2024-03-01 10:00:00",
             "quantity": "2", "paid": "3.99", "unit": "each", "gift": "false", "handed": "01.03.2024 12:30",
             "status": "ok", "currency": "EUR"}  # fmt: skip
    odd = {
        "sold_at": TIMES, "quantity": NUMBERS, "paid": NUMBERS, "gift": GIFTS, "account": ACCOUNTS, "unit": UNITS,
        "handed": ("1.3.2024 7:05", "31.02.2024 10:00", "x", "", None), "status": ("void", "?", None),
        "line": ("7", " ", None),
        "product": ("POSTAGE", "  ", "it's \"quoted\"\t牛奶", "", None), "currency": ("usd", "GBP", "", None),
    }  # fmt: skip
    return [plain, *({**plain, name: value} for name, values in odd.items() for value in values)]


def judge(recipe: Intake, table: str) -> Any:
    def made(side: Any) -> Any:
        given = side.tables[table]
        rates = side.tables.get("rates")
        door = Door(side.engine, recipe, date(2024, 12, 31), {} if rates is None else {"exchange_rates": rates})
        return judged(door, "till", Export(given, tuple(given.columns), "x"))

    return made


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoEngines]:
    needs_java()
    folder: Path = tmp_path_factory.mktemp("two")
    with two_engines(folder) as engines:
        engines.give("rates", {"day": "date", "currency": "string", "rate": "float64"},
                     [(date(2024, 2, 1), "USD", 0.9123), (date(2024, 3, 1), "USD", 0.9217)])  # fmt: skip
        yield engines


def test_an_export_of_texts_is_judged_alike(two: TwoEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a key for the tests only")
    two.give("texts", TEXTS | {"status": "string", "currency": "string"}, rows())
    found = two.same(judge(intake(), "texts"), among=len(rows()))
    reasons = {row[REASON] for row in found}
    assert {
        None, "a fee", "quantity is not a number", "ordered_at is not a date and time",
        "fulfilled_at is not a date and time", "status is not among the recipe's values for it",
    } <= reasons  # fmt: skip
    assert "13812345678" not in "".join(row[ORIGINAL] or "" for row in found)
    assert len({row[CONTENT] for row in found}) > 50
    assert {row["unit"] for row in found} >= {"kg", "each"}


def test_an_export_with_types_is_judged_alike(two: TwoEngines) -> None:
    schema = {"line": "int64", "order": "float64", "account": "int32", "product": "string", "sold_at": "timestamp(6)",
              "quantity": "float64", "paid": "decimal(9, 2)", "unit": "string", "gift": "boolean", "handed": "string",
              "status": "string", "currency": "string"}  # fmt: skip
    plain = (1, 17850.0, 7, "milk", datetime(2024, 3, 31, 2, 30), 2.0, Decimal("3.99"), "kg", False, None, "ok", None)
    odd = {"order": (None, float("nan"), 0.5), "line": (None,),
           "quantity": (None, float("nan"), float("inf"), 0.1, -1.0, 12345678.9, 1e-7, 1.5e20, 1e7, 0.00012, -0.0),
           "sold_at": (None, datetime(2024, 7, 1, 12), datetime(2024, 10, 27, 2, 30, 1, 5)),
           "paid": (None, Decimal("-0.01"))}  # fmt: skip
    every = [dict(zip(schema, plain, strict=True))]
    every += [{**every[0], "line": None, name: value} for name, values in odd.items() for value in values]
    two.give("typed", schema, every)
    columns = {**COLUMNS, "source_line_id": "line", "fulfilled_at": "sold_at", "gift": "gift"}
    found = two.same(judge(intake(columns=columns), "typed"), among=len(every))
    assert {row["order_id"] for row in found} == {"17850", "0.5", None}


def test_instants_that_say_their_zone_are_taken_alike(two: TwoEngines) -> None:
    two.give(
        "aware",
        {"line": "string", "at": "timestamp('UTC', 6)"},
        [("1", datetime(2024, 3, 1, 23, 30, tzinfo=UTC)), ("2", None)],
    )
    columns = {
        "source_line_id": "line",
        "order_id": "line",
        "product_id": "'milk'",
        "quantity": "1",
        "ordered_at": '"at"',
    }
    two.same(judge(intake(columns=columns, values={}, quarantine=[]), "aware"), among=2)


def test_what_means_something_else_on_spark_is_spelled_for_it() -> None:
    assert spark_sql("SELECT regexp_replace(a, '(x)\\b$', '$\\1', 'g')").startswith(
        "SELECT REGEXP_REPLACE(a, '(?d)(x)(?:(?<="
    )
    assert "TO_UTC_TIMESTAMP(CAST(a AS TIMESTAMP), 'Europe/Berlin')" in spark_sql(
        "SELECT a AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC'"
    )
    assert "FROM_UTC_TIMESTAMP(CAST(a AS TIMESTAMP), 'Europe/Berlin')" in spark_sql(
        "SELECT a AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'"
    )
