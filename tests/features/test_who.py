"""Whose the accounts of a snapshot are: what people decide, and who is to be forgotten."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.decisions import Decision, append
from features.history import load_purchases
from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from tests.fixtures import many_channels
from training.recipe import load_recipe


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exports and the workspace that they were taken into."""
    folder = tmp_path_factory.mktemp("who")
    many_channels.write_exports(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
        again(folder)
    return folder


def again(folder: Path) -> Snapshot:
    return ingest(load_recipe(str(folder / "recipe.toml")), Workspace(folder / "workspace"))


def customer_of(snapshot: Snapshot, account: str) -> str:
    rows = snapshot.read("accounts").to_pylist()
    (customer,) = {row["customer_id"] for row in rows if row["account_id"] == account}
    return str(customer)


def test_what_people_decide_holds_from_the_next_ingest_on_without_a_new_file(taken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(taken, folder)
    before = again(folder)
    one, other = "pos:card01", "pos:card02"
    assert customer_of(before, one) != customer_of(before, other)
    at = datetime(2024, 3, 1, tzinfo=UTC)
    append(Workspace(folder / "workspace"), Decision(at, "ann", "together", (one, other), "asked", before.last_day))
    after = again(folder)
    assert customer_of(after, one) == customer_of(after, other)
    assert again(folder).version == after.version


def test_an_erased_account_stands_in_no_published_table_but_its_wish(taken: Path) -> None:
    snapshot = Workspace(taken / "workspace").snapshot()
    erased = "m17"
    naming = ("accounts", "customers", "purchase_history", "identity_links", "identity_log")
    for table in (name for name in naming if snapshot.holds(name)):
        values = {str(value) for row in snapshot.read(table).to_pylist() for value in row.values()}
        assert not any(erased in value for value in values), table
    assert erased in {row["channel_customer_id"] for row in snapshot.read("consents").to_pylist()}


def test_customers_as_of_a_day_know_no_later_link(taken: Path) -> None:
    snapshot = Workspace(taken / "workspace").snapshot()
    day = date(2024, 2, 6)
    links = snapshot.read("identity_links").to_pylist()
    late = {f"{row['channel']}:{row['channel_customer_id']}" for row in links if row["linked_at"].date() > day}
    early = load_purchases(snapshot, day)
    now = {row["account_id"]: row["customer_id"] for row in snapshot.read("accounts").to_pylist()}
    joined_late = {account for account in late if now.get(account, account) != account}
    assert joined_late
    assert late & set(early.customers) >= {account for account in joined_late if account in set(early.customers)}
    assert any(account in set(early.customers) for account in joined_late)
