"""Killed at any moment, an ingest leaves a workspace that opens, and the next one ends where it would have."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from tests.fixtures import many_channels
from training.recipe import load_recipe

ROOT = Path(__file__).parents[2]
MOMENTS = int(os.environ.get("ONEBASKET_TEST_KILLS", "8"))
PROGRAM = """
import sys
from features.ingest import ingest
from features.workspace import Workspace
from training.recipe import load_recipe
recipe = load_recipe(sys.argv[1])
print("began", flush=True)
ingest(recipe, Workspace(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    files = (path for path in snapshot.folder.rglob("*") if path.is_file() and path.name != "ledger.json")
    return {str(path.relative_to(snapshot.folder)): path.read_bytes() for path in files}


def killed_after(recipe: Path, workspace: Path, seconds: float) -> bool:
    """Start an ingest and kill it so long after it began; False if it had ended by then."""
    command = [sys.executable, "-c", PROGRAM, str(recipe), str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        time.sleep(seconds)
        running = process.poll() is None
        process.kill()
    return running


def test_an_ingest_that_is_killed_again_and_again_ends_where_it_would_have(tmp_path: Path) -> None:
    random = np.random.default_rng(MOMENTS)
    source, folder, workspace = tmp_path / "all", tmp_path / "folder", Workspace(tmp_path / "workspace")
    many_channels.write_exports(source)
    names = sorted(many_channels.exports(), key=many_channels.day_in)
    half = [name for name in names if many_channels.day_in(name) < "2024-02-16"]
    for name in ["recipe.toml", *half]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, folder / name)
    recipe = folder / "recipe.toml"
    before = ingest(load_recipe(str(recipe)), workspace)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    began = time.monotonic()
    whole = ingest(load_recipe(str(source / "recipe.toml")), Workspace(tmp_path / "whole"))
    length = time.monotonic() - began
    killed = 0
    for _ in range(MOMENTS):
        killed += killed_after(recipe, workspace.folder, float(random.uniform(0, length)))
        opened = workspace.snapshot()
        assert opened.version >= before.version
        assert (
            opened.read("purchase_history").num_rows
            == json.loads((opened.folder / "snapshot.json").read_text("utf-8"))["rows"]["purchase_history"]
        )
    assert killed > 0
    assert contents(ingest(load_recipe(str(recipe)), workspace)) == contents(whole)
    assert not list(workspace.folder.glob("**/.unfinished-*"))
