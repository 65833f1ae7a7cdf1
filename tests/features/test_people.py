"""Customers with their days and wishes, and those who asked to be forgotten."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from features.engine import Engine, engine_in
from features.people import anonymous, customers_of_accounts, erased_accounts, without
from features.sources import Identity

DAY, SETTINGS = date(2024, 3, 1), Identity(account_numbers="per-channel")
TEXT, WISHES = pa.string(), ("account_id", "wish", "wished_at", "wished_on")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with engine_in(tmp_path) as engine:
        yield engine


def table(engine: Engine, name: str, columns: dict[str, Any], *rows: tuple[Any, ...]) -> Any:
    arrays = {column: pa.array([row[i] for row in rows], kind) for i, (column, kind) in enumerate(columns.items())}
    return engine.ibis.create_table(name, pa.table(arrays), overwrite=True)


def wishes(engine: Engine, *rows: tuple[str, str, int]) -> Any:
    """(account, wish, day of March)."""
    columns = dict(zip(WISHES, (TEXT, TEXT, pa.date32(), pa.date32()), strict=True))
    march = ((account, wish, date(2024, 3, day), date(2024, 3, day)) for account, wish, day in rows)
    return table(engine, "wishes", columns, *march)


def customers(engine: Engine, consents: Any | None, as_of: date, identity: Identity = SETTINGS) -> dict[str, Any]:
    resolved = table(engine, "resolved", {"account_id": TEXT, "customer_id": TEXT},
                     ("app:1", "app:1"), ("pos:7", "app:1"), ("pos:8", "pos:8"))  # fmt: skip
    accounts = table(engine, "accounts", {"account_id": TEXT, "channel": TEXT},
                     ("pos:7", "pos"), ("app:1", "app"), ("pos:8", "pos"))  # fmt: skip
    days = {"account_id": TEXT, "first_purchase_on": pa.date32(), "last_purchase_on": pa.date32()}
    bought = table(engine, "bought", days, ("app:1", date(2024, 2, 2), date(2024, 2, 3)),
                   ("pos:7", date(2024, 1, 2), None))  # fmt: skip
    rows = customers_of_accounts(resolved, accounts, bought, consents, identity, as_of)
    return {row["customer_id"]: row for row in engine.keep("customers", rows).to_pyarrow().to_pylist()}


def test_a_customer_has_the_accounts_and_days_of_all_its_accounts(engine):
    found = customers(engine, None, DAY)
    assert found["app:1"] == {
        "customer_id": "app:1", "accounts": ["app:1", "pos:7"], "first_purchase_on": date(2024, 1, 2),
        "last_purchase_on": date(2024, 2, 3), "opted_out": False,
    }  # fmt: skip
    assert found["pos:8"]["first_purchase_on"] is None


def test_the_latest_wish_of_any_account_counts_as_of_the_day(engine):
    said = wishes(
        engine, ("pos:7", "opt_out", 2), ("app:1", "opt_in", 5), ("pos:8", "opt_in", 3), ("pos:8", "opt_out", 3)
    )
    seen = [{name: row["opted_out"] for name, row in customers(engine, said, date(2024, 3, day)).items()}
            for day in (1, 2, 5)]  # fmt: skip
    assert seen == [
        {"app:1": False, "pos:8": False}, {"app:1": True, "pos:8": False}, {"app:1": False, "pos:8": True}
    ]  # fmt: skip


def test_an_erasure_takes_along_what_strong_evidence_joins_and_nothing_else(engine):
    known = table(engine, "known", {"account_id": TEXT, "channel": TEXT, "first_day": pa.date32()},
                  *((f"{channel}:1", channel, DAY) for channel in ("app", "mini", "pos", "live")))  # fmt: skip
    links = {"account_id": TEXT, "kind": TEXT, "value_hash": TEXT, "linked_on": pa.date32()}
    given = table(engine, "given", links, ("app:1", "unionid", "u", None), ("mini:1", "unionid", "u", date(2030, 1, 1)),
                  ("app:1", "phone", "p", None), ("pos:1", "phone", "p", None))  # fmt: skip
    said = wishes(engine, ("app:1", "erase", 2), ("unknown:1", "erase", 2), ("live:1", "opt_out", 2))
    erased = erased_accounts(engine, known, given, None, said, SETTINGS)
    assert sorted(erased.to_pyarrow()["account_id"].to_pylist()) == ["app:1", "mini:1", "unknown:1"]
    assert sorted(without(known, erased).to_pyarrow()["account_id"].to_pylist()) == ["live:1", "pos:1"]


def test_the_lines_of_an_erased_account_are_nobodys(engine):
    lines = table(engine, "lines", {"account_id": TEXT, "units": pa.int64()}, ("a", 1), ("b", 2), (None, 3))
    erased = table(engine, "erased", {"account_id": TEXT}, ("a",))
    left = engine.keep("left", anonymous(lines, erased)).to_pyarrow().to_pylist()
    assert sorted(left, key=lambda row: row["units"]) == [
        {"account_id": None, "units": 1}, {"account_id": "b", "units": 2}, {"account_id": None, "units": 3}
    ]  # fmt: skip


def test_a_shared_account_number_is_listed_once_per_channel(engine):
    resolved = table(engine, "resolved", {"account_id": TEXT, "customer_id": TEXT}, ("7", "7"))
    accounts = table(engine, "accounts", {"account_id": TEXT, "channel": TEXT}, ("7", "pos"), ("7", "app"))
    bought = resolved.select("account_id", first_purchase_on=ibis.literal(DAY), last_purchase_on=ibis.literal(DAY))
    rows = customers_of_accounts(resolved, accounts, bought, None, Identity(), DAY)
    assert engine.keep("customers", rows).to_pyarrow()["accounts"].to_pylist() == [["app:7", "pos:7"]]
