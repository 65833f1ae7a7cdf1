"""Whatever ends an ingest, the workspace opens with the old or the new state."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features import ingest as ingesting
from features import workspace as workspaces
from features.errors import NotIngested, WorkspaceBusy, WorkspaceError
from features.workspace import Workspace
from tests.fixtures import tiny_shop

ROOT = Path(__file__).parents[2]
INGEST = """
import signal, sys, time
from contextlib import contextmanager
from features import ingest as ingesting
from features.workspace import Workspace
from training.recipe import load_recipe

class Slow:
    @contextmanager
    def step(self, name, total=None):
        print(name, flush=True)
        time.sleep(float(sys.argv[3]))
        yield self
    def advance(self, amount=1):
        print("advance", flush=True)
        time.sleep(float(sys.argv[3]))

signal.signal(signal.SIGINT, signal.default_int_handler)  # reached by Ctrl-C even where a background job ignores it
ingesting.ingest(load_recipe(sys.argv[1]), Workspace(sys.argv[2]), Slow())
print("done", flush=True)
"""


@contextmanager
def ingest_in_another_process(recipe: Path, workspace: Path, slow: float = 0.2) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", INGEST, str(recipe), str(workspace), str(slow)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], lines: int) -> None:
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline(), process.stderr.read() if process.stderr else ""


@pytest.mark.parametrize(
    ("sent", "lines"),
    [(signal.SIGKILL, 1), (signal.SIGINT, 4), (signal.SIGKILL, 6), (signal.SIGINT, 10), (signal.SIGKILL, 13)],
)
def test_an_ingest_ended_at_any_moment_leaves_the_old_state(tmp_path: Path, sent: int, lines: int) -> None:
    recipe = tiny_shop.write_exports(tmp_path / "exports", days=14)
    workspace = Workspace(tmp_path / "workspace")
    before = ingesting.ingest(_load(recipe), workspace)
    _another_day(recipe)
    with ingest_in_another_process(recipe, workspace.folder) as process:
        wait_for(process, lines)
        process.send_signal(sent)
        process.wait(timeout=60)
        assert process.returncode != 0
    assert workspace.snapshot().version == before.version
    assert workspace.snapshot().read("purchase_history").num_rows > 0
    after = ingesting.ingest(_load(recipe), workspace)
    assert after.version > before.version
    assert not list(workspace.folder.glob("*/.unfinished-*"))


def _another_day(recipe: Path) -> None:
    """Something new to ingest."""
    with (recipe.parent / "lines.csv").open("a") as stream:
        stream.write("later,later,c01,p01,s1,2024-01-16 10:00:00,1,1.10,0.0\n")


def _load(recipe: Path) -> Any:
    from training.recipe import load_recipe

    return load_recipe(str(recipe))


@pytest.mark.parametrize("step", ["finish", "point", "rename"])
def test_a_fault_while_publishing_leaves_the_old_state(shop: Any, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    before = shop.ingest()
    shop.add("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,1.00")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    if step == "rename":
        monkeypatch.setattr(Path, "rename", fail)
    else:
        monkeypatch.setattr(workspaces, step, fail)
    with pytest.raises(KeyboardInterrupt):
        shop.ingest()
    monkeypatch.undo()
    assert shop.workspace.snapshot().version == before.version
    assert shop.ingest().version > before.version


def test_a_second_process_is_told_that_the_workspace_is_busy(tmp_path: Path) -> None:
    recipe = tiny_shop.write_exports(tmp_path / "exports", days=14)
    with ingest_in_another_process(recipe, tmp_path / "workspace", slow=30) as process:
        wait_for(process, 1)
        with pytest.raises(WorkspaceBusy, match=rf"in use \(ingest, process {process.pid}\): wait for it to end"):
            ingesting.ingest(_load(recipe), Workspace(tmp_path / "workspace"))
    started = time.monotonic()
    ingesting.ingest(_load(recipe), Workspace(tmp_path / "workspace"))
    assert time.monotonic() - started < 60


def test_a_full_disk_is_told_and_leaves_the_old_state(tmp_path: Path) -> None:
    """Files of this process may not grow beyond a limit: the same failing write as on a full disk."""
    recipe = tiny_shop.write_exports(tmp_path / "exports", days=14)
    workspace = Workspace(tmp_path / "workspace")
    before = ingesting.ingest(_load(recipe), workspace)
    _another_day(recipe)
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000));" + INGEST
    )
    command = [sys.executable, "-c", program, str(recipe), str(workspace.folder), "0"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120, env=environment)
    assert done.returncode != 0
    assert "WorkspaceError: the disk is full or refuses to write" in done.stderr, done.stderr[-2000:]
    assert "free some space" in done.stderr
    assert workspace.snapshot().version == before.version
    assert not list(workspace.folder.glob("*/.unfinished-*"))


def test_a_disk_that_fills_while_the_facts_are_written_is_told(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.ingest()
    shop.add("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,1.00")
    write = Path.write_text

    def full(self: Path, *given: Any, **named: Any) -> int:
        if self.name == "snapshot.json":
            raise OSError(28, "No space left on device")
        return write(self, *given, **named)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(WorkspaceError, match="the disk is full"):
        shop.ingest()
    monkeypatch.undo()
    assert shop.workspace.snapshot().version == before.version


def test_too_little_memory_is_told_with_the_setting(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_MEMORY", "a lot")
    with pytest.raises(WorkspaceError, match="ONEBASKET_MEMORY"):
        shop.ingest()


def test_an_empty_workspace_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotIngested, match="run onebasket ingest --recipe"):
        Workspace(tmp_path).snapshot()


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkspaceError, match="cannot use"), Workspace(tmp_path / "file").writing("ingest"):
        pass


def test_a_damaged_snapshot_says_so(shop: Any) -> None:
    snapshot = shop.ingest()
    (snapshot.folder / "snapshot.json").unlink()
    with pytest.raises(WorkspaceError, match="is missing or incomplete: run onebasket ingest again"):
        shop.workspace.snapshot()
