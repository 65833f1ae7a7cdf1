"""What likeness is given of an ingest: whose profiles, of which day, and by whom it is judged. Splink is not asked."""

import sys
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import alike, who
from features.errors import RecipeError
from features.likeness import LEAST_PRECISION, Likeness, likeness_of, splink_package
from training.recipe import load_recipe
from training.recipe_check import check_recipe

LINES = """order,channel,account,sold_at
o1,pos,ann,2024-03-01 10:00:00
o2,app,bob,2024-03-02 10:00:00
o3,app,cleo,2024-03-03 10:00:00
o4,pos,gone,2024-03-03 11:00:00
o5,pos,dan,2024-03-03 12:00:00
"""
PROFILES = """channel,account,name,since
pos,ann,old,2024-01-01
app,ann,new,2024-02-01
live,ann,to come,2024-05-01
app,bob,bob,
app,cleo,late,2024-03-04
pos,gone,gone,
pos,nobody,never bought,
"""
LINKS = """channel,account,kind,value
app,bob,member_card,c7
pos,dan,member_card,c7
pos,dan,unionid,u1
pos,gone,unionid,u2
"""
TABLES = """
[identity]
probabilistic = true

[sources.links]
table = "identity_links"
path = "links.csv"
[sources.links.columns]
channel = "channel"
channel_customer_id = "account"
kind = "kind"
value = "value"

[sources.wishes]
table = "consents"
path = "wishes.csv"
[sources.wishes.columns]
channel = "channel"
channel_customer_id = "account"
wish = "wish"
wished_at = "at"
"""
HOLDERS = """
[sources.holders]
table = "profiles"
path = "profiles.csv"
[sources.holders.columns]
channel = "channel"
channel_customer_id = "account"
family_name = "name"
known_at = "since"
"""


@pytest.fixture
def told(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The shop, which asks for likeness, with nobody to ask."""
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    monkeypatch.setattr(alike, "splink_package", lambda: None)
    shop.columns = {
        "order_id": '"order"', "channel": "channel", "channel_customer_id": "account", "product_id": "'milk'",
        "location_id": "'s1'", "quantity": "1", "net_amount": "2", "ordered_at": "sold_at",
    }  # fmt: skip
    shop.retailer = 'name = "corner"\ntime_zone = "UTC"'
    shop.extra = TABLES + HOLDERS
    for name, content in (("lines", LINES), ("profiles", PROFILES), ("links", LINKS)):
        shop.write(f"{name}.csv", content)
    shop.write("wishes.csv", "channel,account,wish,at\npos,gone,erase,2024-03-03\n")
    return shop


@pytest.fixture
def given(told: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The tables that likeness is given in an ingest of the shop."""
    seen: list[tuple[pa.Table, pa.Table, pa.Table]] = []

    def noted(*tables: pa.Table) -> Likeness:
        seen.append(tables)
        return likeness_of(*tables)

    monkeypatch.setattr(alike, "likeness_of", noted)
    told.ingest()
    return seen[0]


def test_each_account_has_the_latest_profile_that_is_known_on_the_last_day(given: Any) -> None:
    rows = {row["account_id"]: row for row in given[0].to_pylist()}
    assert sorted(rows) == ["ann", "bob"]
    assert {row["known_on"] for row in rows.values()} == {date(2024, 3, 3)}


def test_of_several_profiles_the_latest_counts(told: Any, given: Any) -> None:
    def name_of_ann(profiles: pa.Table) -> str:
        return str(next(row["family_name"] for row in profiles.to_pylist() if row["account_id"] == "ann"))

    landed = (told.workspace.folder / "landed" / "holders").rglob("rows.parquet")
    rows = pa.concat_tables([pq.read_table(file) for file in landed]).to_pylist()
    by_channel = {row["channel"]: row["family_name"] for row in rows if row["channel_customer_id"] == "ann"}
    assert name_of_ann(given[0]) == by_channel["app"] != by_channel["pos"]


def test_names_reach_it_as_hashes_alone(given: Any) -> None:
    shown = {row["family_name"] for row in given[0].to_pylist()}
    assert not shown & {"old", "new", "bob"}
    assert {len(name) for name in shown} == {64}


def test_nothing_is_asked_of_the_erased(given: Any) -> None:
    for table in given:
        assert "gone" not in table["account_id"].to_pylist()


def test_who_is_judged_has_the_evidence_of_accounts_without_a_profile(given: Any) -> None:
    _, strong, exclusive = given
    customer = {row["account_id"]: row["customer_id"] for row in strong.to_pylist()}
    assert customer == {"ann": "ann", "bob": "bob", "dan": "bob"}
    assert {(row["account_id"], row["kind"]) for row in exclusive.to_pylist()} == {
        ("bob", "member_card"), ("dan", "member_card"), ("dan", "unionid"),
    }  # fmt: skip


def test_what_cannot_be_judged_is_reported_and_joins_nobody(told: Any) -> None:
    with_it = told.ingest()
    (row,) = [row for row in with_it.read("identity_review").to_pylist() if row["kind"] == "likeness"]
    assert row["reason"] == (
        f"precision unknown on 0 pairs that strong evidence judges, of 0; not used: it takes 30 pairs and "
        f"{LEAST_PRECISION}"
    )
    told.extra = told.extra.replace("probabilistic = true", "probabilistic = false")
    without = told.ingest()
    assert without.read("accounts").equals(with_it.read("accounts"))
    assert without.read("identity_review").num_rows == 0


def test_without_splink_nothing_is_read(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "splink_package", splink_package)
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(RecipeError, match=r"pip install 'onebasket\[splink\]', or leave it false"):
        told.ingest()
    assert not (told.folder / "workspace" / "landed").exists()


def test_who_does_not_ask_for_likeness_does_without_splink(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> None:
        raise AssertionError("nobody asked for likeness")

    monkeypatch.setattr(alike, "splink_package", asked)
    monkeypatch.setattr(who, "likeness_by", asked)
    told.extra = told.extra.replace("probabilistic = true", "probabilistic = false")
    assert told.ingest().holds("accounts")


def test_without_profiles_nothing_is_read_and_the_check_says_so(told: Any) -> None:
    told.extra = TABLES
    with pytest.raises(RecipeError, match="no source fills profiles: add one, or leave it false"):
        told.ingest()
    assert not (told.folder / "workspace" / "landed").exists()
    found = check_recipe(load_recipe(str(told.recipe)))
    assert not found.sound
    assert [one.level for one in found.findings if one.place == "identity.probabilistic"] == ["broken"]
