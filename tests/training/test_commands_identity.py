"""`onebasket identity`: who is who, why, and what people decide."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.decisions import read_decisions
from features.keyed_hash import hashed_value
from features.workspace import Workspace
from tests.fixtures.tiny_workspace import done, onebasket

NEW_YEAR, LAST = date(2024, 1, 1), date(2024, 3, 1)
TABLES = {
    "accounts": [
        {"account_id": account, "channel": account.partition(":")[0], "customer_id": customer, "first_day": NEW_YEAR}
        for account, customer in (("app:1", "app:1"), ("pos:7", "app:1"), ("pos:8", "pos:8"), ("app:2", "app:2"))
    ],
    "customers": [
        {"customer_id": "app:1", "accounts": ["app:1", "pos:7"], "first_purchase_on": NEW_YEAR,
         "last_purchase_on": LAST, "opted_out": True},
    ],
    "identity_log": [
        {"joined_on": LAST, "account_id": "pos:7", "via_account_id": "app:1", "customer_id_before": "pos:7",
         "customer_id_after": "app:1", "kind": "phone", "value_hash": "0123456789abcdef"},
    ],
    "identity_review": [
        {"kind": "device", "value_hash": "ffff", "accounts": 2, "customers": 2, "reason": "several customers of one "
         "device", "sample": ["app:1", "app:2"]},
        {"kind": "member_card", "value_hash": "eeee", "accounts": 90, "customers": 90, "reason": "more than 8 accounts",
         "sample": ["pos:8"]},
        {"kind": "likeness", "value_hash": "0000", "accounts": 2, "customers": 2, "reason": "several customers of one "
         "channel", "sample": ["app:1", "app:2"]},
        {"kind": "likeness", "value_hash": "precision", "accounts": 40, "customers": 25, "reason": "precision 0.9900 "
         "on 100 pairs that strong evidence judges, of 300; used", "sample": []},
    ],
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    snapshot = tmp_path / "history" / "000001-test"
    for name, rows in TABLES.items():
        (snapshot / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), snapshot / name / "part.parquet")
    facts = {"first_day": NEW_YEAR.isoformat(), "last_day": LAST.isoformat()}
    (snapshot / "snapshot.json").write_text(json.dumps(facts))
    (tmp_path / "history" / "CURRENT").write_text(snapshot.name)
    return tmp_path


def test_show_names_the_accounts_and_what_joined_them(place):
    shown = done(place, "identity", "show", "pos:7").stdout
    for word in ("customer app:1", "last purchase 2024-03-01", "opted out", "pos:7", "phone", "0123456789ab", "device"):
        assert word in shown
    card = json.loads(done(place, "identity", "show", "app:1", "--json").stdout)
    assert [row["account_id"] for row in card["accounts"]] == ["app:1", "pos:7"]
    assert card["joins"][0]["via_account_id"] == "app:1"
    assert [row["value_hash"] for row in card["held_back"]] == ["ffff", "0000"]


def test_review_begins_with_how_precise_likeness_was_and_with_what_would_join_most(place):
    rows = json.loads(done(place, "identity", "review", "--json").stdout)
    assert [row["value_hash"] for row in rows] == ["precision", "eeee", "ffff", "0000"]
    shown = done(place, "identity", "review", "--limit", "2").stdout
    assert "more than 8 accounts" in shown
    assert "precision 0.9900 on 100 pairs" in shown


def test_log_is_of_all_or_of_one_customer(place):
    assert "pos:7" in done(place, "identity", "log").stdout
    assert json.loads(done(place, "identity", "log", "app:2", "--json").stdout) == []


def test_a_decision_is_noted_with_its_author_reason_and_day(place):
    merged = done(place, "identity", "merge", "app:2", "pos:8", "--reason", "asked her", "--author", "li").stdout
    assert "app:2, pos:8 together; it holds from the next onebasket ingest on" in merged
    done(place, "identity", "split", "pos:7", "--reason", "her son's")
    merge, split = read_decisions(Workspace(place))
    assert (merge.author, merge.action, merge.accounts, merge.reason, merge.from_day) == (
        "li", "together", ("app:2", "pos:8"), "asked her", LAST
    )  # fmt: skip
    assert (split.action, split.accounts) == ("apart", ("pos:7",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show"], "identity show takes 1 account or customer, not 0"),
        (["show", "app:9"], "no account and no customer 'app:9' in the history up to 2024-03-01"),
        (["merge", "app:1", "--reason", "x"], "identity merge takes 2 or more"),
        (["merge", "app:1", "app:9", "--reason", "x"], "no account and no customer 'app:9'"),
        (["split", "app:1"], 'identity split needs a reason, for those who ask later: --reason "…"'),
        (["log", "app:1", "app:2"], "takes at most one account"),
    ],
)
def test_what_cannot_be_done_is_said(place, arguments, words):
    result = onebasket(place, "identity", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert read_decisions(Workspace(place)) == []


def test_a_snapshot_without_accounts_names_the_remedy(place):
    (place / "history" / "000001-test" / "accounts" / "part.parquet").unlink()
    (place / "history" / "000001-test" / "accounts").rmdir()
    result = onebasket(place, "identity", "review")
    assert result.exit_code == 2
    assert "names no accounts: run onebasket ingest again" in result.stderr


def test_a_person_asked_for_by_telephone_is_found_and_the_number_is_written_nowhere(place, monkeypatch):
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    hashed = hashed_value("13812345678", "phone")
    file = place / "history" / "000001-test" / "accounts" / "part.parquet"
    more = {"account_id": f"pos:{hashed}", "channel": "pos", "customer_id": f"pos:{hashed}", "first_day": NEW_YEAR}
    rows = [*pq.read_table(file).to_pylist(), more]
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert hashed in done(place, "identity", "show", "pos:138 1234 5678").stdout
    done(place, "identity", "merge", "pos:13812345678", "pos:8", "--reason", "wrote from ann@example.com")
    (made,) = read_decisions(Workspace(place))
    assert (made.accounts, made.reason) == ((f"pos:{hashed}", "pos:8"), "wrote from ***")
