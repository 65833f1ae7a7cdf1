"""Tables of a real PostgreSQL server, started for these tests alone."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from features.errors import RecipeError, SourceError
from tests.fixtures.absence import lacking

ROWS = """
CREATE SCHEMA "Till";
CREATE TABLE "Till"."order lines" (
    id bigint, account text, paid numeric(12, 2), total numeric, day date, sold_at timestamptz, local_at timestamp,
    gift boolean, weight double precision, note text, detail jsonb, code char(3)
);
INSERT INTO "Till"."order lines" VALUES
    (1, '00123', 4.10, 12345678901234567890.125, '2024-03-01', '2024-03-01 10:00:00.5+08', '2024-03-01 10:00', true,
     0.1, '', '{"a": 1}', 'ab'),
    (9223372036854775807, NULL, NULL, 1, NULL, NULL, NULL, false, NULL, E'two\\nlines, "quoted" 牛奶', NULL, NULL);
CREATE VIEW many AS SELECT n AS id, 'o' || n AS order_id FROM generate_series(1, 200000) AS n;
CREATE TABLE nothing (id int, paid numeric);
CREATE ROLE reader LOGIN PASSWORD 'hidden';
"""


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The connection string of a private server on a socket of its own."""
    binaries = _binaries()
    if binaries is None:
        lacking("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="onebasket-pg-"))
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"

    def run(program: str, *words: str) -> None:
        with (folder / "log").open("ab") as log:
            subprocess.run([str(binaries / program), *words], check=True, stdout=log, stderr=log, cwd=folder, **as_user)

    (folder / "log").touch(mode=0o666)
    run("initdb", "-D", str(data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "-D", str(data), "-l", str(folder / "server.log"), "-o", options, "-w", "start")
    try:
        address = f"postgresql://owner@/postgres?host={folder}"
        with psycopg.connect(address) as connection:
            connection.execute(ROWS)
        yield address
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shop_db(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHOP_DB", server)
    return "env:SHOP_DB"


def test_a_table_is_read_in_its_types(desk: Any, shop_db: str) -> None:
    desk.open(shop_db, relation="Till.order lines")
    first, second = desk.engine.rows("SELECT * REPLACE (sold_at AT TIME ZONE 'UTC' AS sold_at) FROM export_till")
    assert first == (
        1, "00123", Decimal("4.10"), Decimal("12345678901234567890.125"), date(2024, 3, 1),
        datetime(2024, 3, 1, 2, 0, 0, 500000), datetime(2024, 3, 1, 10), True, 0.1, "", '{"a": 1}', "ab ",
    )  # fmt: skip
    assert second[:4] == (9223372036854775807, None, None, Decimal(1))
    assert second[7:] == (False, None, 'two\nlines, "quoted" 牛奶', None, None)


def test_a_view_of_many_rows_is_read_whole(desk: Any, shop_db: str) -> None:
    export = desk.open(shop_db, relation="many", numbered=True)
    assert export.rows == 200_000
    assert desk.rows()[-1] == (200_000, "o200000", 199_999)


def test_a_table_without_rows_has_its_columns(desk: Any, shop_db: str) -> None:
    assert desk.open(shop_db, relation="nothing").columns == ("id", "paid")
    assert desk.rows() == []


def test_the_content_changes_with_the_rows(desk: Any, shop_db: str, server: str) -> None:
    before = desk.content(shop_db, relation="nothing")
    with psycopg.connect(server) as connection:
        connection.execute("INSERT INTO nothing VALUES (1, 2.5)")
    assert desk.content(shop_db, relation="nothing") == before  # one ingest reads one state
    for path in desk.engine.scratch.glob("copied-*"):
        path.unlink()
    assert desk.content(shop_db, relation="nothing") != before
    with psycopg.connect(server) as connection:
        connection.execute("DELETE FROM nothing")


def test_nothing_can_be_written(desk: Any, shop_db: str, server: str) -> None:
    with psycopg.connect(server) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION sly() RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO nothing VALUES (7); RETURN 1; END $$; CREATE OR REPLACE VIEW trap AS SELECT sly()"
        )
    with pytest.raises(SourceError, match="read-only transaction"):
        desk.open(shop_db, relation="trap")


def test_an_unknown_table_is_named(desk: Any, shop_db: str) -> None:
    with pytest.raises(SourceError, match=r"env:SHOP_DB/public\.ordrs: .* does not exist"):
        desk.open(shop_db, relation="public.ordrs")
    with pytest.raises(RecipeError, match="relation is missing"):
        desk.open(shop_db)


def test_missing_rights_are_told_without_the_password(desk: Any, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", server.replace("owner@", "reader:hidden@"))
    with pytest.raises(SourceError, match="permission denied") as raised:
        desk.open("env:SHOP_DB", relation="Till.order lines")
    assert "hidden" not in str(raised.value)
