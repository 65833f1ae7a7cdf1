"""What the door makes of a row: values that mean something else, units, currencies, personal data."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.channels.export import ROW, Export
from features.engine import Engine, engine_in, told
from features.errors import RecipeError
from features.expressions import literal, quoted
from features.judging import CONTENT, ORIGINAL, REASON, Door, judged, needs_numbers
from features.keyed_hash import KEY
from features.sources import Intake
from features.tables import SOURCE_TABLES

SECRET = "a secret of the tests alone"
COLUMNS = {"order_id": "nr", "product_id": "article", "quantity": "qty", "ordered_at": "sold"}
LINE = {"nr": "o1", "article": "milk", "qty": "2", "sold": "2024-03-05 10:00:00"}
NO_MEANING = "channel is not among the recipe's values for it"
NO_RATE = "currency has no exchange rate on or before its day"


class Desk:
    """An engine and a recipe of one source, whose rows the tests give."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.tables = engine, {}
        self.retailer: dict[str, Any] = {"name": "corner", "country": "CN", "currency": "CNY"}
        self.recipe: dict[str, Any] = {}
        self.source: dict[str, Any] = {}

    def door(self, table: str, columns: dict[str, str]) -> Door:
        source = {"table": table, "path": "x", "columns": columns, **self.source}
        lines = {"table": "order_lines", "path": "x", "columns": COLUMNS}
        sources = {"till": source} if table == "order_lines" else {"till": source, "lines": lines}
        intake = Intake.model_validate({"retailer": self.retailer, "sources": sources, **self.recipe})
        return Door(self.engine, intake, date(2024, 12, 31), self.tables)

    def have(self, name: str, rows: list[dict[str, Any]], types: str) -> None:
        """One of the tables that the door already took in."""
        listed = ", ".join("(" + ", ".join(literal(str(value)) for value in row.values()) + ")" for row in rows)
        casts = ", ".join(
            f"CAST({name} AS {kind}) AS {name}" for name, kind in (one.split(":") for one in types.split())
        )
        names = ", ".join(rows[0])
        self.engine.run(f"CREATE OR REPLACE TABLE {name} AS SELECT {casts} FROM (VALUES {listed}) AS given({names})")
        self.tables[name] = self.engine.ibis.table(name)

    def judge(
        self, *rows: dict[str, Any], table: str = "order_lines", fixed: dict[str, str] = COLUMNS, **columns: str
    ) -> list[dict[str, Any]]:
        names = list(dict.fromkeys(name for row in rows for name in row))
        values = ", ".join("(" + ", ".join(_sql(row.get(name)) for name in names) + ")" for row in rows)
        self.engine.run(f"CREATE OR REPLACE VIEW export_till AS SELECT * FROM (VALUES {values}) AS rows("
                        f"{', '.join(map(quoted, names))})")  # fmt: skip
        export = Export(self.engine.ibis.table("export_till"), tuple(names), "x.csv")
        with told("sources.till"):
            found = judged(self.door(table, {**fixed, **columns}), "till", export).to_pyarrow().to_pylist()
        return list(found)


def _sql(value: Any) -> str:
    return "NULL" if value is None else literal(value) if isinstance(value, str) else str(value)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv(KEY, raising=False)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with engine_in(scratch) as engine:
        yield Desk(engine)


def test_the_columns_are_those_of_the_table_and_the_judgement(desk: Desk) -> None:
    (row,) = desk.judge(LINE)
    assert list(row) == [*SOURCE_TABLES["order_lines"].column_names, REASON, ORIGINAL, CONTENT]
    assert (row[REASON], row[ORIGINAL]) == (None, None)
    (numbered,) = desk.judge({**LINE, ROW: 7})
    assert numbered[ROW] == 7


def test_a_value_means_what_the_recipe_says_and_another_goes_to_the_quarantine(desk: Desk) -> None:
    desk.source = {"values": {"channel": {"小程序": "mini_program", "门店": "pos"}}}
    rows = desk.judge(*({**LINE, "way": way} for way in ("小程序", "门店", "抖音", "", None)), channel="way")
    assert [row["channel"] for row in rows] == ["mini_program", "pos", "pos", "pos", "pos"]
    assert [row[REASON] for row in rows] == [None, None, NO_MEANING, None, None]
    assert json.loads(rows[2][ORIGINAL])["way"] == "抖音"


def test_many_values_are_looked_up_alike(desk: Desk) -> None:
    desk.source = {"values": {"location_id": {f"店{number}": f"s{number}" for number in range(200)}}}
    rows = desk.judge(*({**LINE, "shop": f"店{number}"} for number in range(205)), location_id="shop")
    assert [row["location_id"] for row in rows[:200]] == [f"s{number}" for number in range(200)]
    assert all(row[REASON] for row in rows[200:])


@pytest.mark.parametrize(
    ("quantity", "unit", "counted", "in_unit"),
    [
        ("3", "斤", "1.5", "kg"), ("3", "公斤", "3", "kg"), ("250", "克", "0.25", "kg"), ("-1", "lb", "-0.4536", "kg"),
        ("1", "斤半", "1", "斤半"), ("2", "dozen", "24", "each"), ("1.0001", "斤", "0.5001", "kg"),
        ("5", "", "5", "each"),
    ],
)  # fmt: skip
def test_a_quantity_is_counted_in_the_unit_of_its_unit(
    desk: Desk, quantity: str, unit: str, counted: str, in_unit: str
) -> None:
    (row,) = desk.judge({**LINE, "qty": quantity, "u": unit}, unit="u")
    assert (row["quantity"], row["unit"]) == (Decimal(counted), in_unit)


def test_the_recipes_unit_comes_before_the_built_in_one_and_a_products_before_both(desk: Desk) -> None:
    desk.recipe = {"units": {"lb": {"unit": "lb", "times": 1}, "箱": {"unit": "打", "times": 2}}}
    desk.have("product_units", [{"product_id": "beer", "unit": "箱", "to_unit": "each", "times": "6"}],
              "product_id:VARCHAR unit:VARCHAR to_unit:VARCHAR times:DECIMAL(18,4)")  # fmt: skip
    rows = desk.judge({**LINE, "u": "lb"}, {**LINE, "u": "箱"}, {**LINE, "u": "箱", "article": "beer"}, unit="u")
    assert [(row["quantity"], row["unit"]) for row in rows] == [(2, "lb"), (48, "each"), (12, "each")]


def test_very_many_product_units_are_joined_and_ask_for_numbered_rows(desk: Desk) -> None:
    rules = [{"product_id": f"p{n}", "unit": "箱", "to_unit": "each", "times": str(n + 1)} for n in range(1500)]
    desk.have("product_units", rules, "product_id:VARCHAR unit:VARCHAR to_unit:VARCHAR times:DECIMAL(18,4)")
    rows = desk.judge({**LINE, "u": "箱", "article": "p9", ROW: 0}, {**LINE, "u": "kg", ROW: 1}, unit="u")
    rows.sort(key=lambda row: row[ROW])
    assert [(row["quantity"], row["unit"]) for row in rows] == [(20, "each"), (2, "kg")]
    assert needs_numbers(desk.door("order_lines", {**COLUMNS, "unit": "u"}), "till")
    assert not needs_numbers(desk.door("order_lines", COLUMNS), "till")


def test_units_that_go_in_a_circle_are_told(desk: Desk) -> None:
    desk.recipe = {"units": {"a": {"unit": "b", "times": 2}, "b": {"unit": "a", "times": 3}}}
    with pytest.raises(RecipeError, match="circle"):
        desk.judge({**LINE, "u": "a"}, unit="u")


def test_a_foreign_amount_is_exchanged_at_the_latest_rate_up_to_its_local_day(desk: Desk) -> None:
    desk.retailer["time_zone"] = "Asia/Shanghai"
    desk.have("exchange_rates", [{"currency": "USD", "day": "2024-03-01", "rate": 7.1},
                                 {"currency": "USD", "day": "2024-03-05", "rate": 7.2}],
              "currency:VARCHAR day:DATE rate:DOUBLE")  # fmt: skip
    paid = {**LINE, "paid": "1.01", "less": "0.5", "in": "usd"}
    rows = desk.judge(
        paid, {**paid, "sold": "2024-03-04 23:59:59"},
        {**paid, "sold": "2024-11-04 23:59:59", "qty": "-1", "paid": "-1.01"},
        {**paid, "sold": "2024-02-04 00:00:00"}, {**paid, "in": "EUR"}, {**paid, "in": "CNY"}, {**paid, "in": ""},
        currency='"in"', net_amount="paid", discount_amount="less",
    )  # fmt: skip
    amounts = [Decimal(text) for text in ("7.272", "7.171", "-7.272")]
    assert [row["net_amount"] for row in rows[:3]] == amounts
    assert rows[0]["discount_amount"] == Decimal("3.60")
    assert {row["currency"] for row in rows[:3]} == {None}
    assert [row[REASON] for row in rows[3:]] == [
        *["currency has no exchange rate on or before its day"] * 2,
        None,
        None,
    ]
    assert [row["net_amount"] for row in rows[5:]] == [Decimal("1.01")] * 2


def test_a_currency_without_the_retailers_own_says_what_to_set(desk: Desk) -> None:
    desk.retailer["currency"] = ""
    with pytest.raises(RecipeError, match=r"set retailer\.currency"):
        desk.judge({**LINE, "in": "USD"}, currency='"in"')


@pytest.mark.parametrize("account", ["ann@example.com", "13812345678", "+8613812345678"])
def test_an_account_that_is_a_phone_or_an_address_needs_a_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    with pytest.raises(RecipeError, match=f"personal data without a key.*set {KEY}"):
        desk.judge({**LINE, "who": account}, channel_customer_id="who")
    monkeypatch.setenv(KEY, SECRET)
    good, bad = desk.judge({**LINE, "who": account}, {**LINE, "who": account, "qty": "0"}, channel_customer_id="who")
    assert account not in good["channel_customer_id"]
    assert good["channel_customer_id"] == bad["channel_customer_id"]
    assert json.loads(bad[ORIGINAL])["who"] == "***"


def test_other_accounts_stay_as_they_are(desk: Desk) -> None:
    accounts = ["4711", "12812345678", "oXy_123", "99913812345678"]
    rows = desk.judge(*({**LINE, "who": account} for account in accounts), channel_customer_id="who")
    assert [row["channel_customer_id"] for row in rows] == accounts


def test_keyed_hash_hides_its_columns_in_the_original_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)
    line = {**LINE, "tel": "030 5551234", "qty": "0"}
    (row,) = desk.judge(line, channel_customer_id="keyed_hash('phone', tel)")
    assert "030" not in row["channel_customer_id"]
    assert json.loads(row[ORIGINAL]) == {**line, "tel": "***"}


def test_a_secret_column_is_hashed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)
    given = {"channel": "'app'", "channel_customer_id": "id", "kind": "'phone'", "value": "tel"}
    rows = ({"id": "1", "tel": "030 5551234"}, {"id": None, "tel": "030 5551234"})
    good, bad = desk.judge(*rows, table="identity_links", fixed={}, **given)
    assert good["value"] == bad["value"] != "030 5551234"
    assert json.loads(bad[ORIGINAL]) == {"id": None, "tel": "***"}


def test_keyed_hash_takes_a_kind_that_is_a_constant(desk: Desk) -> None:
    with pytest.raises(RecipeError, match="write keyed_hash"):
        desk.judge({**LINE, "tel": "1"}, channel_customer_id="keyed_hash(tel, tel)")


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2024-07-05 10:00:00", "2024-07-05 08:00:00"), ("2024-01-05T10:00:00", "2024-01-05 09:00:00"),
        ("2024-07-05 10:00:00Z", "2024-07-05 10:00:00"), ("2024-07-05 10:00:00+02", "2024-07-05 08:00:00"),
        ("2024-7-5 9:00:00+02:00", "2024-07-05 07:00:00"), ("2024/7/5 9:05", "2024-07-05 07:05:00"),
        ("2024-07-05", "2024-07-04 22:00:00"), ("2024-03-31 02:30:00", "2024-03-31 01:30:00"),
        ("2024-10-27 02:30:00", "2024-10-27 01:30:00"), ("2024-07-05 10:00:00.5", "2024-07-05 08:00:00.5"),
    ],
)  # fmt: skip
def test_a_time_is_read_in_its_zone_unless_it_says_its_own(desk: Desk, given: str, utc: str) -> None:
    desk.retailer["time_zone"] = "Europe/Berlin"
    (row,) = desk.judge({**LINE, "sold": given})
    assert row["ordered_at"] == pd.Timestamp(utc).to_pydatetime()


def test_rows_stay_in_the_order_of_the_export_and_no_join_is_made(desk: Desk) -> None:
    desk.source = {"values": {"channel": {f"w{number}": "pos" for number in range(50)}}}
    desk.judge({**LINE, "way": "w1", "u": "斤"}, channel="way", unit="u")
    export = Export(desk.engine.ibis.table("export_till"), (*LINE, "way", "u"), "x")
    rows = judged(desk.door("order_lines", {**COLUMNS, "channel": "way", "unit": "u"}), "till", export)
    plan = desk.engine.rows("EXPLAIN " + desk.engine.ibis.compile(rows))[0][1]
    assert "JOIN" not in plan
