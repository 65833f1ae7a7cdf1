"""However the files come, in whatever order and portions, the same files give the same snapshot."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from tests.fixtures import many_channels
from training.recipe import load_recipe


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a snapshot but the ledger, which tells when files were written."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "ledger.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def taken_in(folder: Path, workspace: Path) -> Snapshot:
    return ingest(load_recipe(str(folder / "recipe.toml")), Workspace(workspace))


def in_portions(source: Path, folder: Path, workspace: Path, portions: list[list[str]]) -> Snapshot:
    """Deliver the files of `source` to `folder` in portions, with an ingest after each."""
    folder.mkdir()
    shutil.copy(source / "recipe.toml", folder / "recipe.toml")
    for portion in portions:
        for name in portion:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
        snapshot = taken_in(folder, workspace)
    return snapshot


def first_of_each(names: list[str]) -> list[str]:
    """One file of every source: a recipe whose source has no file at all cannot be read."""
    return list({name.partition("/")[0]: name for name in reversed(names)}.values())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shuffled", [False, True], ids=["day by day", "in any order"])
def test_portions_give_what_all_at_once_gives(tmp_path: Path, seed: int, shuffled: bool) -> None:
    source = tmp_path / "all"
    many_channels.write_exports(source, seed)
    names = sorted(many_channels.exports(seed), key=many_channels.day_in)
    if shuffled:
        np.random.default_rng(seed).shuffle(names)
    first = first_of_each(names)
    rest = [name for name in names if name not in first]
    portions = [first, *(rest[start : start + 45] for start in range(0, len(rest), 45))]
    whole = taken_in(source, tmp_path / "whole")
    parts = in_portions(source, tmp_path / "folder", tmp_path / "parts", portions)
    assert differing(whole, parts) == []


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    ours, theirs = contents(one.folder), contents(other.folder)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def test_a_file_that_is_delivered_again_with_other_content_replaces_what_it_said(tmp_path: Path) -> None:
    source, folder = tmp_path / "all", tmp_path / "folder"
    many_channels.write_exports(source)
    shutil.copytree(source, folder)
    name = f"till/till-{many_channels.START}.csv"
    lines = (folder / name).read_text("utf-8").splitlines()
    (folder / name).write_text("\n".join(lines[:3]) + "\n", "utf-8")
    taken_in(folder, tmp_path / "parts")
    shutil.copy(source / name, folder / name)
    assert differing(taken_in(source, tmp_path / "whole"), taken_in(folder, tmp_path / "parts")) == []


def test_files_that_are_gone_stay_in_the_history(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    many_channels.write_exports(folder)
    before = taken_in(folder, tmp_path / "workspace")
    for path in list(folder.glob("till/*"))[:20]:
        path.unlink()
    assert taken_in(folder, tmp_path / "workspace").version == before.version


def test_the_fixture_holds_what_is_hard(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    many_channels.write_exports(folder)
    snapshot = taken_in(folder, tmp_path / "workspace")
    twins = snapshot.read("order_twins").to_pylist()
    assert {twin["evidence"] for twin in twins if twin["kept_order_id"]} == {"order-number", "basket"}
    assert {row["matched_by"] for row in snapshot.read("returns").to_pylist()} >= {"order and product", "unmatched"}
    losers = pq.read_table(snapshot.folder / "ledger" / "losers.parquet").to_pylist()
    assert {loser["same"] for loser in losers} == {True, False}
    history = snapshot.read("purchase_history").to_pylist()
    assert any(row["demand_day"] > row["day"] for row in history)
    assert not any(row["account_id"] == "app:m17" for row in history)
    customers = snapshot.read("customers").to_pylist()
    assert max(len(customer["accounts"]) for customer in customers) == 3
    assert sum(customer["opted_out"] for customer in customers) == 1
