"""Tables of a real MariaDB server, started for these tests alone."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest

from features.errors import RecipeError, SourceError
from tests.fixtures.absence import lacking

ROWS = """
CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE TABLE shop.`order lines` (
    id BIGINT UNSIGNED, account VARCHAR(20), paid DECIMAL(12, 2), day DATE, sold_at TIMESTAMP NULL, local_at DATETIME,
    gift BOOLEAN, weight DOUBLE, note TEXT
);
INSERT INTO shop.`order lines` VALUES
    (1, '00123', 4.10, '2024-03-01', '2024-03-01 02:00:00', '2024-03-01 10:00:00', TRUE, 0.1, ''),
    (18446744073709551615, NULL, NULL, NULL, NULL, NULL, FALSE, NULL, 'two\\nlines, "quoted" 牛奶');
CREATE VIEW shop.many AS SELECT seq AS id, CONCAT('o', seq) AS order_id FROM shop.numbers;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The connection string of a private server on a socket of its own."""
    daemon = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if daemon is None or install is None:
        lacking("MariaDB is not installed: apt-get install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="onebasket-my-"))
    data, socket = folder / "data", folder / "socket"
    user = ["--user=root"] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log:
        subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user],
            check=True, stdout=log, stderr=log,
        )  # fmt: skip
        process = subprocess.Popen(
            [daemon, "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking", *user],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            with _connected(socket, process) as connection, connection.cursor() as cursor:
                cursor.execute("SET time_zone = '+00:00'")
                for statement in ROWS.split(";\n"):
                    if "shop.many" in statement:
                        cursor.execute("CREATE TABLE shop.numbers AS SELECT seq FROM shop.seq_1_to_120000")
                    if statement.strip():
                        cursor.execute(statement)
                connection.commit()
            yield f"mysql://root@localhost/shop?unix_socket={socket}"
        finally:
            process.terminate()
            process.wait(60)
            shutil.rmtree(folder, ignore_errors=True)


def _connected(socket: Path, process: "subprocess.Popen[bytes]") -> Any:
    for _ in range(600):
        if socket.exists():  # a connection that is refused leaves its socket to the garbage collector
            return pymysql.connect(unix_socket=str(socket), user="root", charset="utf8mb4")
        assert process.poll() is None, "the server ended"
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.fixture
def shop_db(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHOP_DB", server)
    return "env:SHOP_DB"


def test_a_table_is_read_in_its_types(desk: Any, shop_db: str) -> None:
    desk.open(shop_db, relation="order lines")
    first, second = desk.engine.rows("SELECT * REPLACE (sold_at AT TIME ZONE 'UTC' AS sold_at) FROM export_till")
    assert first == (
        1, "00123", Decimal("4.10"), date(2024, 3, 1), datetime(2024, 3, 1, 2), datetime(2024, 3, 1, 10), 1, 0.1, "",
    )  # fmt: skip
    assert second == (18446744073709551615, *[None] * 5, 0, None, 'two\nlines, "quoted" 牛奶')


def test_a_view_of_many_rows_is_read_whole(desk: Any, shop_db: str) -> None:
    export = desk.open(shop_db, relation="shop.many", numbered=True)
    assert export.rows == 120_000
    assert sorted(desk.rows())[-1][:2] == (120_000, "o120000")


def test_an_unknown_table_is_named(desk: Any, shop_db: str) -> None:
    with pytest.raises(SourceError, match=r"env:SHOP_DB/ordrs: .* doesn't exist"):
        desk.open(shop_db, relation="ordrs")


def test_a_connection_string_without_a_database_is_refused(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", "mysql://root@localhost")
    with pytest.raises(RecipeError, match="write such as mysql://reader:password@host:3306/shop"):
        desk.open("env:SHOP_DB", relation="ordrs")
