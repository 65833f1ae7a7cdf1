"""Accounts, links and wishes as resolution wants them, from the tables as recipes fill them."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.engine import Engine, engine_in
from features.identity import accounts_of, consents_of, links_of
from features.sources import Identity

LATE = datetime.fromisoformat("2024-03-01T17:30:00")  # the 2nd of March in Shanghai


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with engine_in(tmp_path) as engine:
        yield engine


def table(engine: Engine, name: str, rows: list[dict[str, Any]]) -> Any:
    return engine.ibis.create_table(name, pa.Table.from_pylist(rows))


def links(engine: Engine, numbers: str) -> Any:
    given = [
        {"channel": "app", "channel_customer_id": "7", "kind": "phone", "value": "abc", "linked_at": LATE},
        {"channel": "pos", "channel_customer_id": "7", "kind": "phone", "value": "abc", "linked_at": None},
    ]
    return links_of(table(engine, "given", given), Identity(account_numbers=numbers), "Asia/Shanghai")


@pytest.mark.parametrize(("numbers", "accounts"), [("shared", ["7", "7"]), ("per-channel", ["app:7", "pos:7"])])
def test_a_link_is_of_an_account_since_a_local_day(engine, numbers, accounts):
    rows = links(engine, numbers).to_pyarrow().sort_by("channel").to_pylist()
    assert [row["account_id"] for row in rows] == accounts
    assert [row["linked_on"] for row in rows] == [date(2024, 3, 2), None]
    assert {row["value_hash"] for row in rows} == {"abc"}


def test_a_wish_is_of_a_local_day(engine):
    given = [{"channel": "app", "channel_customer_id": "7", "wish": "opt_out", "wished_at": LATE}]
    rows = consents_of(table(engine, "given", given), Identity(), "Asia/Shanghai").to_pyarrow().to_pylist()
    assert rows == [
        {"channel": "app", "wish": "opt_out", "wished_at": LATE, "wished_on": date(2024, 3, 2), "account_id": "7"}
    ]


def test_an_account_is_known_since_its_first_row_of_any_table(engine):
    bought = [
        {"account_id": account, "channel": "app", "day": date(2024, 3, 5)} for account in ("app:7", "app:8", None)
    ]
    known = accounts_of(table(engine, "bought", bought), links(engine, "per-channel"), date(1990, 1, 1))
    rows = engine.keep("known", known).to_pyarrow().to_pylist()
    assert {row["account_id"]: row["first_day"] for row in rows} == {
        "app:7": date(2024, 3, 2), "app:8": date(2024, 3, 5), "pos:7": date(1990, 1, 1)
    }  # fmt: skip
