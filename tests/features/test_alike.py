"""Likeness in an ingest: it joins as of the snapshot's end, says how precise it was, and changes nothing before."""

import csv
import json
import random
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from features.engine import engine_in
from features.ingest import ingest
from features.quality_people import identity
from features.who import accounts_as_of
from features.workspace import Snapshot, Workspace
from tests.features.test_likeness import profiles_of
from tests.fixtures.absence import lacking
from tests.fixtures.identity_world import World, town
from tests.fixtures.tiny_workspace import done
from training.recipe import load_recipe

RECIPE = """
[retailer]
name = "town"
time_zone = "Asia/Shanghai"
currency = "CNY"
country = "CN"

[identity]
probabilistic = {alike}
account_numbers = "shared"

[sources.till]
table = "order_lines"
path = "till-*.csv"
[sources.till.columns]
order_id = "receipt"
channel = "channel"
channel_customer_id = "account"
product_id = "'milk'"
location_id = "'shop'"
quantity = "1"
net_amount = "5"
ordered_at = "day"

[sources.unionids]
table = "identity_links"
path = "links.csv"
[sources.unionids.columns]
channel = "channel"
channel_customer_id = "account"
kind = "'unionid'"
value = "value"

[sources.holders]
table = "profiles"
path = "profiles-*.csv"
[sources.holders.columns]
channel = "channel"
channel_customer_id = "account"
family_name = "family_name"
given_name = "given_name"
birth_date = "birth_date"
postcode = "postcode"
street = "street"
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")


@pytest.fixture(scope="module")
def world() -> World:
    if find_spec("splink") is None:
        lacking("Splink is not installed: pip install 'onebasket[splink]'")
    return town(500, seed=5)


def write(folder: Path, world: World, *, alike: bool = True) -> Path:
    """The exports of a town: a purchase per account, profiles, and unionids of some."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE.format(alike=str(alike).lower()), "utf-8")
    channel = {account: channel for account, channel, _ in world.accounts}
    days = sorted({day for *_, day in world.accounts})
    for part, wanted in (("1", days[: len(days) // 2]), ("2", days[len(days) // 2 :])):
        rows = [(f"{place}", where, account, day) for place, (account, where, day) in enumerate(world.accounts)
                if day in wanted]  # fmt: skip
        _csv(folder / f"till-{part}.csv", ("receipt", "channel", "account", "day"), rows)
    links = sorted({(channel[account], account, value) for account, kind, value, _ in world.links if kind == "unionid"})
    _csv(folder / "links.csv", ("channel", "account", "value"), links)
    said = profiles_of(world).drop(["known_on"]).to_pylist()
    random.Random(1).shuffle(said)
    names = list(said[0])[1:]
    told = [(channel[row["account_id"]], row["account_id"], *(row[name] or "" for name in names)) for row in said]
    for part in (1, 2):
        _csv(folder / f"profiles-{part}.csv", ("channel", "account", *names), told[part - 1 :: 2])
    return folder


def _csv(file: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def taken(folder: Path) -> Snapshot:
    return ingest(load_recipe(str(folder / "recipe.toml")), Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, world: World) -> tuple[Snapshot, Snapshot]:
    """The same town without likeness and with it."""
    folder = tmp_path_factory.mktemp("alike")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
        return taken(write(folder / "plain", world, alike=False)), taken(write(folder / "alike", world))


def pairs(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Account and customer of every joined account."""
    rows = snapshot.read("accounts").to_pylist()
    return {(row["account_id"], row["customer_id"]) for row in rows if row["account_id"] != row["customer_id"]}


def test_people_are_joined_that_nothing_else_joins_and_rightly(both: tuple[Snapshot, Snapshot], world: World) -> None:
    plain, alike = both
    more = pairs(alike) - pairs(plain)
    right = sum(world.person_of[account] == world.person_of[customer] for account, customer in more)
    assert len(more) > 100
    assert right >= 0.98 * len(more)
    log = alike.read("identity_log").to_pylist()
    assert {row["kind"] for row in log} == {"unionid", "likeness"}
    assert {row["joined_on"] for row in log if row["kind"] == "likeness"} == {alike.last_day}


def customers(snapshot: Snapshot) -> dict[str, set[str]]:
    """The accounts of each customer."""
    found: dict[str, set[str]] = {}
    for row in snapshot.read("accounts").to_pylist():
        found.setdefault(row["customer_id"], set()).add(row["account_id"])
    return found


def test_it_takes_no_join_away(both: tuple[Snapshot, Snapshot]) -> None:
    plain, alike = both
    whose = {account: customer for customer, accounts in customers(alike).items() for account in accounts}
    for accounts in customers(plain).values():
        assert len({whose[account] for account in accounts}) == 1


def test_it_joins_nobody_with_another_unionid_and_few_accounts_only(
    both: tuple[Snapshot, Snapshot], world: World
) -> None:
    unionid = {account: value for account, kind, value, _ in world.links if kind == "unionid"}
    for accounts in customers(both[1]).values():
        assert len({unionid[account] for account in accounts if account in unionid}) <= 1
        assert len(accounts) <= 8


def test_its_precision_stands_in_the_review(both: tuple[Snapshot, Snapshot]) -> None:
    plain, alike = both
    (row,) = [row for row in alike.read("identity_review").to_pylist() if row["value_hash"] == "precision"]
    assert row["kind"] == "likeness"
    assert row["reason"].startswith(("precision 0.9", "precision 1.0"))
    assert row["reason"].endswith("; used")
    assert not plain.holds("identity_review") or "likeness" not in plain.read("identity_review")["kind"].to_pylist()


def test_people_are_shown_its_precision_first(both: tuple[Snapshot, Snapshot]) -> None:
    place = both[1].folder.parent.parent
    rows = json.loads(done(place, "identity", "review", "--json").stdout)
    assert (rows[0]["kind"], rows[0]["value_hash"]) == ("likeness", "precision")
    assert rows[0]["accounts"] > rows[0]["customers"] > 100
    shown = done(place, "identity", "review", "--limit", "1").stdout
    assert "likeness" in shown
    assert "precision" in shown


def test_the_report_on_the_data_tells_it_apart_from_evidence_that_was_cut(
    both: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    plain, alike = both
    (tmp_path / "scratch").mkdir()
    with engine_in(tmp_path / "scratch") as engine:
        assert identity(engine, plain)["likeness"] is None
        found = identity(engine, alike)
    assert found["likeness"]["reason"].endswith("; used")
    assert not [row for row in found["cut"] if row["reason"] == found["likeness"]["reason"]]
    assert "likeness" in {row["kind"] for row in found["cut"]}
    assert found["review"] == 0  # a guess that joined nobody breaks no check
    done(alike.folder.parent.parent, "report", "data", "--out", str(tmp_path))
    (page,) = tmp_path.glob("*.html")
    assert f"strong evidence are alike: {found['likeness']['reason']}." in page.read_text("utf-8")


def test_few_judges_let_it_join_nobody(both: tuple[Snapshot, Snapshot], world: World, tmp_path: Path) -> None:
    folders = write(tmp_path / "plain", world, alike=False), write(tmp_path / "alike", world)
    for folder in folders:
        lines = (folder / "links.csv").read_text("utf-8").splitlines(keepends=True)
        (folder / "links.csv").write_text("".join(lines[:40]), "utf-8")
    plain, alike = map(taken, folders)
    assert alike.read("accounts").equals(plain.read("accounts"))
    (row,) = [row for row in alike.read("identity_review").to_pylist() if row["kind"] == "likeness"]
    assert "; not used: it takes 30 pairs and 0.98" in row["reason"]


def test_as_of_an_earlier_day_it_changes_nothing(both: tuple[Snapshot, Snapshot]) -> None:
    plain, alike = both
    for earlier in (1, 60, 150):
        day = alike.last_day - timedelta(days=earlier)
        assert accounts_as_of(alike, day).equals(accounts_as_of(plain, day))
    at_the_end = {frozenset(row.items()) for row in accounts_as_of(alike, alike.last_day).to_pylist()}
    without = {frozenset(row.items()) for row in accounts_as_of(plain, plain.last_day).to_pylist()}
    assert at_the_end != without


def test_files_that_come_one_after_the_other_give_the_same_bytes(
    both: tuple[Snapshot, Snapshot], world: World, tmp_path: Path
) -> None:
    folder = write(tmp_path / "parts", world)
    for name in ("till-2.csv", "profiles-1.csv"):
        (folder / name).rename(folder / f"aside-{name}")
        taken(folder)
    for name in ("profiles-1.csv", "till-2.csv"):
        (folder / f"aside-{name}").rename(folder / name)
    assert taken(folder).version.split("-")[1] == both[1].version.split("-")[1]
