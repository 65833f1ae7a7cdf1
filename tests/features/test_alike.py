"""Likeness in an ingest: it joins as of the snapshot's end, says how precise it was, and changes nothing before."""

import csv
import random
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from features.errors import RecipeError
from features.ingest import ingest
from features.who import accounts_as_of
from features.workspace import Snapshot, Workspace
from tests.features.test_likeness import profiles_of
from tests.fixtures.absence import lacking
from tests.fixtures.identity_world import World, town
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
path = "profiles.csv"
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
    _csv(folder / "profiles.csv", ("channel", "account", *names), told)
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
    kinds = set(alike.read("identity_log")["kind"].to_pylist())
    assert kinds == {"unionid", "likeness"}


def test_its_precision_stands_in_the_review(both: tuple[Snapshot, Snapshot]) -> None:
    plain, alike = both
    (row,) = [row for row in alike.read("identity_review").to_pylist() if row["value_hash"] == "precision"]
    assert row["kind"] == "likeness"
    assert row["reason"].startswith(("precision 0.9", "precision 1.0"))
    assert row["reason"].endswith("; used")
    assert not plain.holds("identity_review") or "likeness" not in plain.read("identity_review")["kind"].to_pylist()


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
    (folder / "till-2.csv").rename(folder / "aside")
    taken(folder)
    (folder / "aside").rename(folder / "till-2.csv")
    assert taken(folder).version.split("-")[1] == both[1].version.split("-")[1]


def test_likeness_without_profiles_is_told_before_anything_is_read(tmp_path: Path, world: World) -> None:
    folder = write(tmp_path / "none", world)
    recipe = (folder / "recipe.toml").read_text("utf-8")
    (folder / "recipe.toml").write_text(recipe[: recipe.index("[sources.holders]")], "utf-8")
    with pytest.raises(RecipeError, match="no source fills profiles"):
        taken(folder)
    assert not (folder / "workspace" / "landed").exists()
