"""Accounts whose profiles are alike are found, judged by strong evidence, and believed only then."""

import random
import sys
from importlib.util import find_spec

import pyarrow as pa
import pytest

from features.errors import RecipeError
from features.likeness import FIELDS, likely_pairs, likeness_of
from tests.fixtures.absence import lacking
from tests.fixtures.identity_world import World, town

SIZES = {"family_name": 60, "given_name": 300, "birth_date": 9000, "postcode": 80, "street": 1500}
TEXT = pa.string()


def profiles_of(world: World, alike: float = 0.85) -> pa.Table:
    """What each account says of its person, each field left out now and then."""
    draw = random.Random(world.seed)
    true: dict[int, dict[str, str]] = {}
    rows = []
    for account, _, first_day in world.accounts:
        person = world.person_of[account]
        said = true.setdefault(person, {field: f"{field}{draw.randrange(size)}" for field, size in SIZES.items()})
        kept = {field: value if draw.random() < alike else None for field, value in said.items()}
        rows.append({"account_id": account, "known_on": first_day, **kept})
    return pa.Table.from_pylist(
        rows, pa.schema({"account_id": TEXT, "known_on": pa.date32(), **dict.fromkeys(FIELDS, TEXT)})
    )


def strong_of(world: World) -> tuple[pa.Table, pa.Table]:
    """Who is who by unionid alone, and the unionids."""
    held = {account: value for account, kind, value, _ in world.links if kind == "unionid"}
    customers = [{"account_id": account, "customer_id": held.get(account, account)} for account, *_ in world.accounts]
    links = [{"account_id": account, "kind": "unionid", "value_hash": value} for account, value in held.items()]
    return pa.Table.from_pylist(customers), pa.Table.from_pylist(links)


@pytest.fixture(scope="module")
def world() -> World:
    if find_spec("splink") is None:
        lacking("Splink is not installed: pip install 'onebasket[splink]'")
    return town(700, seed=3)


def test_the_pairs_found_are_one_person(world):
    found = likely_pairs(profiles_of(world))
    right = sum(world.person_of[a] == world.person_of[b] for a, b in found)
    assert right / len(found) >= 0.98
    assert len(found) > 300


def test_precision_is_measured_against_strong_evidence(world):
    found = likeness_of(profiles_of(world), *strong_of(world))
    assert found.believed
    assert found.precision >= 0.98
    assert found.report["reason"].startswith("precision 0.9") or found.report["reason"].startswith("precision 1.0")
    assert found.links.num_rows == 2 * found.pairs
    assert set(found.links["kind"].to_pylist()) == {"likeness"}


def test_likeness_that_strong_evidence_denies_joins_nobody(world):
    profiles = profiles_of(world)
    shuffled = profiles.set_column(0, "account_id", pa.array(profiles["account_id"].to_pylist()[::-1]))
    found = likeness_of(shuffled, *strong_of(world))
    assert not found.believed
    assert found.links.num_rows == 0
    assert "not used: it takes 30 pairs and 0.98" in found.report["reason"]


def test_the_same_profiles_in_another_order_give_the_same_pairs(world):
    profiles = profiles_of(world)
    assert likely_pairs(profiles) == likely_pairs(profiles.take(list(range(profiles.num_rows))[::-1]))


def test_a_few_profiles_teach_nothing(world):
    found = likeness_of(profiles_of(world).slice(0, 20), *strong_of(world))
    assert (found.pairs, found.precision) == (0, None)
    assert "precision unknown on 0 pairs" in found.report["reason"]


@pytest.mark.parametrize("field", ["birth_date", "given_name"])
def test_a_field_that_is_always_empty_teaches_nothing(world, field):
    profiles = profiles_of(world)
    empty = pa.nulls(profiles.num_rows, TEXT)
    found = likeness_of(profiles.set_column(profiles.column_names.index(field), field, empty), *strong_of(world))
    assert not found.believed or found.precision >= 0.98


def test_it_does_not_chatter(world, capfd):
    likely_pairs(profiles_of(world))
    assert capfd.readouterr() == ("", "")


def test_without_splink_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(RecipeError, match=r"pip install 'onebasket\[splink\]', or leave it false"):
        likely_pairs(profiles_of(town(60, seed=1)))
