"""The workspace: one folder that holds everything OneBasket keeps on a machine.

    history/<version>/      one immutable snapshot per ingest: a folder of parquet per table, and snapshot.json
    history/CURRENT         the version that readers open
    landed/<source>/<id>/   every file of an export, read once (see landing.py)
    quarantine/<version>/   rows that could not be used, with their reasons
    bundles/<kind>/         released bundles (see models/bundle.py)
    live/                   events received by the server
    mlflow.db, artifacts/   MLflow's store, unless MLFLOW_TRACKING_URI names another
    lock                    held by the one process that may write

A snapshot is written beside the others, completed, and only then named in CURRENT by an atomic rename: a
process killed at any moment leaves the old or the new state, never a mixture.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock, Timeout

from features.errors import NotIngested, WorkspaceBusy, WorkspaceError

if TYPE_CHECKING:
    import pyarrow.compute as pc

UNFINISHED = ".unfinished-"
KEPT_SNAPSHOTS = 3
EVENTS_FILE = "events.db"  # in live/, written by servers


@dataclass(frozen=True)
class Snapshot:
    """One consistent version of every table; it never changes once it can be opened."""

    folder: Path

    @property
    def version(self) -> str:
        return self.folder.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What ingest wrote of it: retailer, sources with their counts, first and last day, rows per table."""
        facts: dict[str, Any] = json.loads((self.folder / "snapshot.json").read_text("utf-8"))
        return facts

    @property
    def last_day(self) -> date:
        """The last day with a purchase."""
        return date.fromisoformat(self.facts["last_day"])

    @property
    def first_day(self) -> date:
        return date.fromisoformat(self.facts["first_day"])

    def holds(self, table: str) -> bool:
        return (self.folder / table).is_dir()

    def files(self, table: str) -> str:
        """The glob of a table's parquet files, for DuckDB."""
        from features.expressions import no_pattern  # the server has no engine, and asks for no glob

        return no_pattern(self.folder / table) + "/**/*.parquet"

    def read(self, table: str, where: "pc.Expression | None" = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table into memory: `columns` of it, and the rows for which the pyarrow expression `where` holds."""
        import pyarrow.dataset as pads  # with it comes pandas, which an ingest does not wait for

        wanted = None if columns is None else list(columns)
        return pads.dataset(self.folder / table, format="parquet").to_table(columns=wanted, filter=where)


class Workspace:
    """The folder, its lock and its snapshots."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()

    @classmethod
    def default(cls) -> "Workspace":
        """The folder that ONEBASKET_WORKSPACE names, or ./workspace."""
        return cls(os.environ.get("ONEBASKET_WORKSPACE", "workspace"))

    @property
    def bundles(self) -> Path:
        return self.folder / "bundles"

    @property
    def landed(self) -> Path:
        return self.folder / "landed"

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine"

    @contextmanager
    def writing(self, doing: str) -> Iterator[None]:
        """Hold the lock while `doing`; WorkspaceBusy at once if another process holds it.

        The operating system frees the lock when its process ends, however it ends. What an earlier process
        left unfinished is removed first.
        """
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except Timeout as taken:
            raise WorkspaceBusy(f"{self.folder} is in use ({self._holder()}): wait for it to end") from taken
        try:
            self._holder_file.write_text(f"{doing}, process {os.getpid()}", "utf-8")
            self._sweep()
            yield
        finally:
            self._sweep()
            self._holder_file.unlink(missing_ok=True)
            lock.release()

    def _lock(self) -> FileLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise WorkspaceError(f"cannot use {self.folder} as a workspace: {fault.strerror}") from fault
        return FileLock(self.folder / "lock")

    @property
    def _holder_file(self) -> Path:
        return self.folder / "lock.holder"

    def _holder(self) -> str:
        return self._holder_file.read_text("utf-8") if self._holder_file.exists() else "another process"

    def _sweep(self) -> None:
        for parent in ("scratch", "history", "quarantine", "landed/*", "bundles/recommend", "bundles/forecast"):
            for left in self.folder.glob(f"{parent}/{UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)

    def unfinished(self, parent: str, version: str) -> Path:
        """An empty folder to fill beside the finished ones; `_sweep` removes it if nobody finishes it."""
        folder = self.folder / parent / (UNFINISHED + version)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def publish(self, unfinished: Path) -> Snapshot:
        """Make a completed snapshot folder the current one, and drop the oldest beyond KEPT_SNAPSHOTS."""
        final = finish(unfinished)
        point(self.folder / "history" / "CURRENT", final.name)
        others = sorted(path for path in final.parent.iterdir() if path.is_dir() and path != final)
        for old in others[: max(0, len(others) - KEPT_SNAPSHOTS + 1)]:
            shutil.rmtree(old, ignore_errors=True)
        for refused in self.quarantine.glob("*"):
            if not (final.parent / refused.name).is_dir():
                shutil.rmtree(refused, ignore_errors=True)
        self._forget_landed(final.parent)
        return Snapshot(final)

    def _forget_landed(self, history: Path) -> None:
        """Remove landed files that no snapshot was made of any more."""
        used = set()
        for ledger in history.glob("*/ledger/ledger.json"):
            for one in json.loads(ledger.read_text("utf-8"))["landed"]:
                used.add((one["source"], landed_id(one)))
        for folder in self.landed.glob("*/*"):
            if (folder.parent.name, folder.name) not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def current(self) -> Snapshot | None:
        """The current snapshot, or None where there is none or it cannot be opened."""
        try:
            return self.snapshot()
        except WorkspaceError:
            return None

    def snapshot(self) -> Snapshot:
        """Open the current snapshot; NotIngested if there is none."""
        pointer = self.folder / "history" / "CURRENT"
        if not pointer.is_file():
            raise NotIngested(f"{self.folder} holds no purchase history yet: run onebasket ingest --recipe … first")
        folder = pointer.parent / pointer.read_text("utf-8").strip()
        if not (folder / "snapshot.json").is_file():
            raise WorkspaceError(f"{folder} is missing or incomplete: run onebasket ingest again")
        return Snapshot(folder)


def landed_id(facts: Mapping[str, Any]) -> str:
    """The name of a landed file's folder: of its content, how it was mapped, and what it found while it was."""
    found = (facts["joined"][:8], facts.get("asked", "")[:8])
    late = facts.get("first_late", "")  # only where rows were refused for their days had not come
    parts = (facts["content"][:16], facts["mapping"], *found, late and "before" + late.replace("-", ""))
    return "-".join(part for part in parts if part)


def finish(unfinished: Path) -> Path:
    """Rename a completed folder to its final name, its files safely on disk before."""
    for path in unfinished.rglob("*"):
        _to_disk(path)
    _to_disk(unfinished)
    final = unfinished.with_name(unfinished.name.removeprefix(UNFINISHED))
    if final.exists():
        shutil.rmtree(final)
    unfinished.rename(final)
    _to_disk(final.parent)
    return final


def point(pointer: Path, content: str) -> None:
    """Replace a pointer file in one step."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    fresh = pointer.with_name(pointer.name + ".new")
    fresh.write_text(content, "utf-8")
    _to_disk(fresh)
    fresh.replace(pointer)
    _to_disk(pointer.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
