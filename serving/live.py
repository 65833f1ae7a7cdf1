"""Fresh events: kept in one SQLite file that all workers of a host write to and read from.

WAL mode: readers never wait for writers. An acknowledged event has been committed, so it survives the end of
the process however it ends; with `events_survive = "power"` each commit is also forced to disk.

Events are stored as they were sent. Whose they are is resolved when they are read (features/live_events.py), so that
an account that is joined to a customer later brings its events along.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from features.tables import EVENTS
from features.workspace import EVENTS_FILE
from serving.messages import Event

COLUMNS = (*EVENTS.column_names, "received_at")
STORAGE = {"event_id": "TEXT PRIMARY KEY", "position": "INTEGER", "quantity": "REAL"}
CREATE = f"""
CREATE TABLE IF NOT EXISTS events ({", ".join(f"{name} {STORAGE.get(name, 'TEXT')}" for name in COLUMNS)}) STRICT
"""
INSERT = f"INSERT OR IGNORE INTO events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  # our own names
WAIT_SECONDS = 5.0
MOST_WAITING = 1000
MOST_TOGETHER = 200

log = logging.getLogger("onebasket.serving")


class StorageUnavailable(Exception):
    """Events could not be stored; none of those asked for was."""


@dataclass(frozen=True)
class Stored:
    """How many events of one request were new, and how many were there before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True)
class _Job:
    rows: list[tuple[object, ...]]
    done: "Future[Stored]"


class EventStore:
    """Appends events through one writing thread, which commits what waits together in one transaction."""

    def __init__(self, folder: Path, survive: Literal["process", "power"] = "process") -> None:
        self.path = folder / EVENTS_FILE
        self._synchronous = "FULL" if survive == "power" else "NORMAL"
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MOST_WAITING)
        self._connection: sqlite3.Connection | None = None
        self._writer = threading.Thread(target=self._write, name="events", daemon=True)

    def start(self) -> None:
        self._writer.start()

    def stop(self) -> None:
        """Commit what waits, then end the writing thread."""
        if self._writer.is_alive():
            self._jobs.put(None)
            self._writer.join(WAIT_SECONDS * 2)

    def put(self, events: Sequence[Event], received_at: datetime) -> "Future[Stored]":
        """Store events; the future is done once they are committed. StorageUnavailable when too many wait."""
        job = _Job([_row(event, received_at) for event in events], Future())
        job.done.set_running_or_notify_cancel()  # a caller that hangs up must not cancel what is being written
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise StorageUnavailable(f"{MOST_WAITING} requests wait to be stored") from None
        return job.done

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job, *self._waiting()]
            try:
                results = self._commit(jobs)
            except Exception as fault:  # the thread must outlive every fault of one transaction
                log.error("events cannot be stored in %s: %s", self.path, fault)
                self._close()
                for failed in jobs:
                    failed.done.set_exception(StorageUnavailable(str(fault)))
                continue
            for written, result in zip(jobs, results, strict=True):
                written.done.set_result(result)
        self._close()

    def _waiting(self) -> Iterator[_Job]:
        for _ in range(MOST_TOGETHER):
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._jobs.put(None)
                return
            yield job

    def _commit(self, jobs: list[_Job]) -> list[Stored]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        results = []
        for job in jobs:
            accepted = sum(connection.execute(INSERT, row).rowcount for row in job.rows)
            results.append(Stored(accepted, len(job.rows) - accepted))
        connection.execute("COMMIT")
        return results

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or not self.path.exists():
            self._close()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._connection.execute(CREATE)
            self._connection.execute("CREATE INDEX IF NOT EXISTS by_customer ON events (customer_id, happened_at)")
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _row(event: Event, received_at: datetime) -> tuple[object, ...]:
    values = event.model_dump() | {"received_at": received_at}
    return tuple(value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
                 for value in (values[name] for name in COLUMNS))  # fmt: skip
