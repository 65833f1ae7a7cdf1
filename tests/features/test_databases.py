"""Tables of SQLite files, and of what Ibis reaches."""

import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.errors import RecipeError, SourceError

ORDERS = [(1, "00123", 4.5, None), (2, "x", 2, "牛奶")]


def sqlite_file(folder: Path, rows: list[tuple[Any, ...]] = ORDERS) -> Path:
    file = folder / "shop.sqlite"
    file.unlink(missing_ok=True)
    with sqlite3.connect(file) as database:
        database.execute('CREATE TABLE "order lines" (id INTEGER, account TEXT, paid REAL, product)')
        database.executemany('INSERT INTO "order lines" VALUES (?, ?, ?, ?)', rows)
        database.execute('CREATE VIEW paid AS SELECT id, paid FROM "order lines"')
    database.close()
    return file


def test_a_table_of_sqlite_is_read(desk: Any, tmp_path: Path) -> None:
    export = desk.open(sqlite_file(tmp_path), relation="order lines", numbered=True)
    assert export.columns == ("id", "account", "paid", "product")
    assert desk.rows() == [(1, "00123", 4.5, None, 0), (2, "x", 2.0, "牛奶", 1)]


def test_a_view_of_sqlite_is_read(desk: Any, tmp_path: Path) -> None:
    desk.open(sqlite_file(tmp_path), relation="paid")
    assert desk.rows() == [(1, 4.5), (2, 2.0)]


def test_the_content_of_a_relation_is_its_rows_in_any_order(desk: Any, tmp_path: Path) -> None:
    first = desk.content(sqlite_file(tmp_path), relation="order lines")
    assert len(first) == 64
    for path in desk.engine.scratch.glob("copied-*"):
        path.unlink()
    assert desk.content(sqlite_file(tmp_path, ORDERS[::-1]), relation="order lines") == first
    for path in desk.engine.scratch.glob("copied-*"):
        path.unlink()
    assert desk.content(sqlite_file(tmp_path, [*ORDERS, ORDERS[0]]), relation="order lines") != first


def test_what_is_read_is_what_the_content_was_taken_of(desk: Any, tmp_path: Path) -> None:
    desk.content(sqlite_file(tmp_path), relation="order lines")
    sqlite_file(tmp_path, [])
    desk.open(tmp_path / "shop.sqlite", relation="order lines")
    assert len(desk.rows()) == 2


def test_an_unknown_relation_gets_a_suggestion(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no table or view 'order_lines' \(did you mean 'order lines'\?\)"):
        desk.open(sqlite_file(tmp_path), relation="order_lines")
    with pytest.raises(RecipeError, match="relation is missing"):
        desk.open(sqlite_file(tmp_path))


def test_what_is_no_sqlite_file_is_refused(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    file.write_text("id,account\n" * 1000)
    with pytest.raises(SourceError, match="check that it is an SQLite file"):
        desk.open(file, relation="orders")


def test_a_table_is_read_through_ibis(desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as shop:
        shop.execute("CREATE SCHEMA till; CREATE TABLE till.orders AS SELECT 1 AS id, 2.50::DECIMAL(9, 2) AS paid, "
                     "TIMESTAMP '2024-03-01 10:00:00' AS sold_at, ['a', 'b'] AS tags")  # fmt: skip
    monkeypatch.setenv("SHOP_DB", f"duckdb://{tmp_path}/shop.duckdb?read_only=True")
    export = desk.open("env:SHOP_DB", relation="till.orders")
    assert export.file == "env:SHOP_DB/till.orders"
    assert desk.rows() == [(1, Decimal("2.50"), datetime(2024, 3, 1, 10), ["a", "b"])]
    with pytest.raises(SourceError, match=r"env:SHOP_DB/till\.ordres"):
        desk.open("env:SHOP_DB", relation="till.ordres")


def test_a_connection_string_that_is_not_set_is_named(desk: Any) -> None:
    with pytest.raises(RecipeError, match=r"the environment variable SHOP_DB is not set: .* postgresql://"):
        desk.open("env:SHOP_DB", relation="orders", format="postgres")


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_password_is_in_no_message(desk: Any, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    monkeypatch.setenv("SHOP_DB", f"{driver}://reader:s3cr%2Bet@127.0.0.1:1/shop")
    with pytest.raises(SourceError, match="cannot read env:SHOP_DB/orders") as raised:
        desk.open("env:SHOP_DB", relation="orders")
    assert "s3cr" not in str(raised.value)
    assert raised.value.__cause__ is None
