"""Statements beside each other: all are run, and none outlives the first that fails."""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from features.engine import SHARED, Engine, engine_in

ENDLESS = "SELECT count(*) FROM range(10000000000) AS one(a) WHERE hash(a) = 7"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "scratch").mkdir()
    with engine_in(tmp_path / "scratch") as opened:
        yield opened


def test_statements_beside_each_other_see_shared_tables_and_answer_in_order(engine: Engine) -> None:
    engine.share("numbers", "SELECT * FROM range(10) AS every(n)")
    found = engine.at_once([f"SELECT count(*) FROM {SHARED}.numbers WHERE n < {most}" for most in range(8)])
    assert found == [[(most,)] for most in range(8)]


def test_what_runs_beside_a_statement_that_fails_is_ended(engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(duckdb.Error, match="no such thing"):
        engine.at_once(["SELECT error('no such thing')", ENDLESS, ENDLESS])
    assert time.monotonic() - began < 10


def test_a_shared_table_that_is_forgotten_is_gone(engine: Engine) -> None:
    engine.share("numbers", "SELECT 1 AS n")
    engine.forget("numbers", "never")
    with pytest.raises(duckdb.Error, match="does not exist"):
        engine.rows(f"SELECT * FROM {SHARED}.numbers")
