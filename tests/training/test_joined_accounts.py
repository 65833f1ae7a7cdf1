"""From exports to answers: whichever of a customer's accounts asks or is told of, it is the one customer."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from features.joined_accounts import JoinedAccounts
from features.workspace import Workspace
from models.bundle import open_bundle, released_version
from models.surfaces import Surfaces
from serving.app import Server, create_app
from serving.settings import ServingSettings
from tests.fixtures import joined_shop
from tests.fixtures.tiny_workspace import CHEAP, done, onebasket
from training.asking import Asked
from training.bundles import fitted_bundle
from training.subject import subject

AT = "2024-04-10T09:30:00Z"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a released recommender of the joined shop."""
    folder = tmp_path_factory.mktemp("joined")
    recipe = joined_shop.write_exports(folder / "exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
        done(folder / "workspace", "ingest", "--recipe", str(recipe))
    done(folder / "workspace", "train", "recommend", *CHEAP)
    done(folder / "workspace", "release", "recommend")
    return folder / "workspace"


@pytest.fixture(scope="module")
def client(shop: Path) -> Iterator[TestClient]:
    server = Server.of(ServingSettings(workspace=shop, kinds=("recommend",)))
    server.released.look()
    with TestClient(create_app(server)) as asked:
        yield asked


def released(shop: Path) -> Path:
    bundles = Workspace(shop).bundles
    return bundles / "recommend" / str(released_version(bundles, "recommend"))


def ask(client: TestClient, **request: Any) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def account(name: str) -> dict[str, str]:
    channel, _, number = name.partition(":")
    return {"channel": channel, "channel_customer_id": number}


def test_either_account_and_either_number_get_the_one_list_of_the_one_customer(client):
    asked = [
        {"account": account("app:7")}, {"account": account("pos:21")}, {"customer_id": "app:7"},
        {"customer_id": "pos:21"},
    ]  # fmt: skip
    answers = [ask(client, surface="buy-again", channel="pos", **who) for who in asked]
    assert {answer["customer_id"] for answer in answers} == {"pos:21"}
    assert all(answer["customer_known"] and answer["notes"] == [] for answer in answers)
    first, *others = [answer["items"] for answer in answers]
    assert all(items == first for items in others)
    own = {item["product_id"] for item in first if item["source"] == "own"}
    assert own == {"milk", "bread", "tea"}


def test_an_account_is_not_taken_for_the_card_of_the_same_number(client):
    assert ask(client, account=account("pos:7"))["customer_id"] == "pos:7"
    assert ask(client, account=account("app:7"))["customer_id"] == "pos:21"


def test_an_account_with_which_nothing_was_bought_is_its_customer_too(client):
    answer = ask(client, account=account("app:31"))
    assert (answer["customer_id"], answer["customer_known"]) == ("pos:30", True)


def test_an_unknown_account_is_a_guest_under_its_own_number(client):
    answer = ask(client, account=account("app:999"))
    assert (answer["customer_id"], answer["customer_known"]) == ("app:999", False)


def test_every_account_of_a_customer_who_opted_out_with_one_of_them_is_answered_as_a_guest(client):
    for name in ("app:41", "pos:40"):
        answer = ask(client, account=account(name))
        assert not answer["customer_known"]
        assert "own" not in {item["source"] for item in answer["items"]}


def test_a_batch_of_lists_holds_unified_customers_and_nothing_personal_of_who_opted_out(shop, tmp_path):
    done(shop, "recommend", "--limit", "3", "--out", str(tmp_path / "lists.parquet"), *CHEAP)
    rows = pq.read_table(tmp_path / "lists.parquet").to_pylist()
    assert {"pos:21", "pos:7", "pos:40"} <= {row["customer_id"] for row in rows}
    assert not {"app:7", "app:41", "app:31"} & {row["customer_id"] for row in rows}
    assert "own" not in {row["source"] for row in rows if row["customer_id"] == "pos:40"}


def test_as_of_a_day_before_the_link_nobody_is_joined_by_it_and_nobody_has_refused(shop):
    early = subject("recommend", Workspace(shop), None, "2024-03-29", [CHEAP[1]])
    with Workspace(shop).writing("a test"):
        opened = Surfaces.open(fitted_bundle(early, Workspace(shop)).folder / "surfaces")
    assert opened.customer_of("app:41") == "app:41"
    assert opened.customer_of("app:7") == "pos:21"
    assert opened.opted_out == frozenset()


def test_erased_accounts_are_in_no_file_of_the_bundle(shop):
    joined = JoinedAccounts.open(released(shop) / "surfaces" / "accounts")
    assert len(joined) == 3
    for path in released(shop).rglob("*"):
        if path.is_file():
            assert b"app:51" not in path.read_bytes(), path
            assert b"pos:50" not in path.read_bytes(), path


def test_the_model_in_the_registry_knows_the_accounts_too(shop):
    asked = Asked(released(shop), "recommend")
    answer = asked.answer(pd.DataFrame({"customer_id": ["app:7", "pos:21"], "surface": "buy-again", "limit": 4}))
    assert set(answer["customer_id"]) == {"pos:21"}
    one, other = (rows.drop(columns="question").reset_index(drop=True) for _, rows in answer.groupby("question"))
    assert one.equals(other)


def test_events_of_every_account_count_for_the_one_customer(client, shop, tmp_path):
    sent = [
        {"event_id": "by-account", **account("app:7")}, {"event_id": "by-card", **account("pos:21")},
        {"event_id": "by-former-number", "customer_id": "app:7"}, {"event_id": "by-customer", "customer_id": "pos:21"},
        {"event_id": "bob", **account("pos:7")}, {"event_id": "guest", "anonymous_id": "device"},
        {"event_id": "no-channel", "channel_customer_id": "7"}, {"event_id": "erased", **account("app:51")},
    ]  # fmt: skip
    events = [event | {"type": "click", "product_id": "tea", "happened_at": AT} for event in sent]
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == len(sent)
    out = tmp_path / "events.parquet"
    said = done(shop, "events", "--out", str(out)).stdout
    assert said.startswith("8 events, customers as of 2024-04-09")
    rows = {row["event_id"]: row for row in pq.read_table(out).to_pylist()}
    assert {name: row["customer_id"] for name, row in rows.items()} == {
        "by-account": "pos:21", "by-card": "pos:21", "by-former-number": "pos:21", "by-customer": "pos:21",
        "bob": "pos:7", "guest": None, "no-channel": None, "erased": None,
    }  # fmt: skip
    assert rows["erased"]["channel_customer_id"] is None
    assert rows["bob"]["happened_at"].isoformat() == "2024-04-10T09:30:00+00:00"
    done(shop, "events", "--customer", "app:7", "--out", str(out))
    assert sorted(pq.read_table(out)["event_id"].to_pylist()) == [
        "by-account", "by-card", "by-customer", "by-former-number"
    ]  # fmt: skip


def test_without_a_received_event_the_command_says_so(shop, tmp_path):
    shutil.copytree(shop / "history", tmp_path / "workspace" / "history")
    ended = onebasket(tmp_path / "workspace", "events", "--out", str(tmp_path / "events.csv"))
    assert ended.exit_code == 2
    assert "no server of this workspace has received an event yet" in ended.stderr
    assert not (tmp_path / "events.csv").exists()


def test_a_bundle_from_before_the_accounts_were_in_it_opens_and_joins_nobody(shop, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(released(shop), folder)
    shutil.rmtree(folder / "surfaces" / "accounts")
    content = json.loads((folder / "bundle.json").read_text())
    content["files"] = {name: file for name, file in content["files"].items() if "/accounts/" not in name}
    (folder / "bundle.json").write_text(json.dumps(content))
    opened = Surfaces.open(open_bundle(folder, "recommend").folder / "surfaces")
    assert opened.customer_of("app:7") == "app:7"
    assert opened.purchases.as_of == date(2024, 4, 9)


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("links.csv", "app,99,phone,13900000001,2024-03-20 09:00:00"),
        ("wishes.csv", "pos,7,opt_out,2024-03-20 09:00:00"),
    ],
)
def test_a_new_link_or_wish_is_a_new_version_and_one_of_a_later_day_is_not(file, row, tmp_path, monkeypatch):
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    recipe, workspace = joined_shop.write_exports(tmp_path / "exports"), tmp_path / "workspace"

    def versions() -> list[str]:
        done(workspace, "ingest", "--recipe", str(recipe))
        return [subject("recommend", Workspace(workspace), None, day).version for day in ("2024-03-19", "2024-03-20")]

    before = versions()
    with (tmp_path / "exports" / file).open("a") as stream:
        stream.write(row + "\n")
    after = versions()
    assert after[0] == before[0]
    assert after[1] != before[1]
