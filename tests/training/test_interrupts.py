"""Ctrl-C as a terminal sends it, to a process of its own."""

import json
import signal
from pathlib import Path

import pytest

from features.workspace import UNFINISHED, Workspace
from models.bundle import released_version
from tests.fixtures import tiny_shop
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, done, process


def interrupted(workspace: Path, at: str, *arguments: str) -> tuple[int, str]:
    """Exit status and stderr of a command that gets SIGINT when it has printed the line `at`."""
    running = process(workspace, *arguments)
    assert running.stderr is not None
    said = []
    for line in running.stderr:
        said.append(line)
        if line.startswith(at):
            running.send_signal(signal.SIGINT)
            break
    _, rest = running.communicate(timeout=120)
    return running.returncode, "".join(said) + rest


def leftovers(workspace: Path) -> list[Path]:
    """Unfinished folders that the next writer does not sweep away."""
    with Workspace(workspace).writing("a look"):
        return list(workspace.rglob(UNFINISHED + "*"))


def test_ctrl_c_during_an_ingest_keeps_what_was_ingested_before(own_shop: Path, tmp_path: Path):
    before = Workspace(own_shop).snapshot()
    recipe = tiny_shop.write_exports(tmp_path / "more", days=160)
    status, said = interrupted(own_shop, "read exports", "ingest", "--recipe", str(recipe))
    assert (status, said.splitlines()[-1]) == (
        130, "stopped; nothing was changed: the workspace still holds what it held before",
    )  # fmt: skip
    assert Workspace(own_shop).snapshot().facts == before.facts
    assert leftovers(own_shop) == []


@pytest.mark.parametrize(("kind", "step"), [("recommend", "reading the purchase"), ("forecast", "fitting")])
def test_ctrl_c_during_a_training_registers_nothing(kind: str, step: str, own_shop: Path):
    status, said = interrupted(own_shop, step, "train", kind, "--as-of", AS_OF)
    assert status == 130, said
    assert said.splitlines()[-1].startswith("stopped; no version was registered")
    assert "Traceback" not in said
    assert leftovers(own_shop) == []
    assert done(own_shop, "models", "--json").stdout.strip() == "[]"


def test_ctrl_c_during_an_export_writes_no_file(own_shop: Path, tmp_path: Path):
    out = tmp_path / "lists.csv"
    status, said = interrupted(own_shop, "reading the purchase", "recommend", "--as-of", AS_OF, "--out", str(out))
    assert (status, said.splitlines()[-1]) == (
        130, "stopped; no file was written; a model that was already fitted is kept",
    )  # fmt: skip
    assert not out.exists()
    assert leftovers(own_shop) == []


@pytest.mark.parametrize("kind", ["recommend", "forecast"])
def test_ctrl_c_during_a_backtest_logs_nothing(kind: str, own_shop: Path):
    step = {"recommend": "recommend backtest", "forecast": "backtest"}[kind]
    status, said = interrupted(own_shop, step, "backtest", kind, "--cutoffs", "1")
    assert status == 130, said
    assert "Traceback" not in said
    assert leftovers(own_shop) == []
    assert list(own_shop.rglob("backtest.csv")) == []


@pytest.mark.parametrize("command", ["release", "rollback"])
def test_ctrl_c_during_a_release_or_rollback_leaves_the_old_or_the_new_one(command: str, own_trained_shop: Path):
    shop = own_trained_shop
    if command == "rollback":
        done(shop, "release", "recommend")
        done(shop, "train", "recommend", "--as-of", "2024-04-21", *CHEAP)
        done(shop, "release", "recommend")
    before = released_version(Workspace(shop).bundles, "recommend")
    status, said = interrupted(shop, "checking", command, "recommend")
    after = released_version(Workspace(shop).bundles, "recommend")
    assert status in (0, 130), said  # it may have been done when the signal came
    assert status == 130 or after != before
    assert "Traceback" not in said
    assert leftovers(shop) == []
    done(shop, command, "recommend")
    champions = [row for row in json.loads(done(shop, "models", "--json").stdout) if "champion" in row["aliases"]]
    assert [row["version"] for row in champions] == [released_version(Workspace(shop).bundles, "recommend")]


def test_a_killed_training_frees_the_workspace_and_the_next_one_succeeds(own_shop: Path):
    running = process(own_shop, "train", "forecast", "--as-of", AS_OF)
    assert running.stderr is not None
    next(line for line in running.stderr if line.startswith("fitting"))
    running.kill()
    running.communicate(timeout=60)
    assert leftovers(own_shop) == []
    told = done(own_shop, "train", "forecast", "--as-of", AS_OF, "--set", "forecast.forecaster=moving_average")
    assert "version 1 of onebasket-forecast" in told.stdout
