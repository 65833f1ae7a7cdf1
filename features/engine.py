"""The DuckDB engine that runs the Ibis expressions of an ingest: bounded memory, scratch on disk, clear errors."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import MappingProxyType
from typing import Any

import duckdb
import ibis

from features.errors import RecipeError, SourceError, WorkspaceError
from features.expressions import quoted

NEEDS_KEY = "personal data without a key"  # with it an expression of the intake fails
DEFAULT_MEMORY = "1500MB"
SHARED = "shared"  # a catalog whose tables every connection of the engine sees; TEMP tables are seen by one
AT_ONCE = max(2, min(4, os.cpu_count() or 2))  # statements that run beside each other, each of which needs memory
FULL_DISK = (
    "no space left",
    "could not write",
    "failed to write",
    "file too large",
    "max_temp_directory_size",
    "errno 28",
    "errno 27",
)


class Engine:
    """One DuckDB database in a scratch folder; `ibis` speaks Ibis to it, `run` speaks SQL."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.ibis: Any = ibis.duckdb.connect(scratch / "staging.duckdb", **_limits(scratch))
        self.run("SET TimeZone = 'UTC'")
        self.run(f"ATTACH ':memory:' AS {SHARED}")

    def run(self, statement: str) -> Any:
        """Run one SQL statement; the cursor gives its rows."""
        return self.ibis.raw_sql(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.run(query).fetchall()
        return found

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an Ibis expression into a table of this session, in memory until it has to spill, and return it."""
        self.run(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {self.ibis.compile(expression)}')
        return self.ibis.table(name)

    def view(self, name: str, expression: Any) -> Any:
        """Name an Ibis expression without computing it, and return it as a table."""
        self.run(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {self.ibis.compile(expression)}')
        return self.ibis.table(name)

    def share(self, name: str, query: str, implied: Mapping[str, str] = MappingProxyType({})) -> None:
        """Compute a query into a table of this session that statements run `at_once` see too, as the view SHARED.name.

        `implied` is SQL of further columns of the view, which follow from those of the query.
        """
        self.forget(name)  # before the new one is computed, so that there is memory for one of them only
        told = "".join(f", {sql} AS {quoted(column)}" for column, sql in implied.items())
        self.run(f"CREATE TABLE {_stored(name)} AS {query}")
        self.run(f'CREATE VIEW {SHARED}."{name}" AS SELECT *{told} FROM {_stored(name)}')
        self.run(f'CREATE OR REPLACE TEMP VIEW "{name}" AS FROM {SHARED}."{name}"')

    def share_array(self, name: str, column: str, values: Any) -> None:
        """Share a numpy array as a table of one column."""
        self.ibis.con.register("given_array", {column: values})
        try:
            self.share(name, "FROM given_array")
        finally:
            self.ibis.con.unregister("given_array")

    def drop_rows(self, name: str, where: str) -> None:
        """Take rows out of a shared table."""
        self.run(f"DELETE FROM {_stored(name)} WHERE {where}")

    def forget(self, *names: str) -> None:
        """Free the memory of shared tables."""
        for name in names:
            self.run(f'DROP VIEW IF EXISTS {SHARED}."{name}"')
            self.run(f"DROP TABLE IF EXISTS {_stored(name)}")

    def at_once(self, statements: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """Run statements beside each other, for those of which one alone does not keep every core busy."""
        if len(statements) == 1:
            return [self.rows(statements[0])]
        pool, running = ThreadPoolExecutor(AT_ONCE), [self.ibis.con.cursor() for _ in range(AT_ONCE)]
        free: SimpleQueue[Any] = SimpleQueue()
        stopped = Event()
        for own in running:
            own.execute("SET TimeZone = 'UTC'")
            free.put(own)

        def run(statement: str) -> list[tuple[Any, ...]]:
            own = free.get()
            try:
                found: list[tuple[Any, ...]] = [] if stopped.is_set() else own.execute(statement).fetchall()
                return found
            finally:
                free.put(own)

        asked = [pool.submit(run, statement) for statement in statements]
        try:
            return [one.result() for one in asked]
        finally:
            stopped.set()  # where one failed, or somebody pressed Ctrl-C, nobody waits for the others
            while wait(asked, timeout=0.05).not_done:
                for own in running:
                    own.interrupt()
            pool.shutdown()
            for own in running:
                own.close()

    def hold_pads(self, pads: Mapping[str, bytes]) -> None:
        """Hold the two padded keys of features/keyed_hash.py as variables of the session, inner and outer."""
        for name, pad in pads.items():
            self.ibis.con.execute(f"SET VARIABLE {name} = ?", [pad])

    def close(self) -> None:
        self.ibis.disconnect()


def _stored(name: str) -> str:
    """The table behind a shared view."""
    return f'{SHARED}."{name}_stored"'


def memory_limit() -> str:
    """What DuckDB may hold in memory before it spills: ONEBASKET_MEMORY, such as 4GB."""
    return os.environ.get("ONEBASKET_MEMORY", DEFAULT_MEMORY)


def _limits(scratch: Path) -> dict[str, Any]:
    """What keeps memory bounded and the network untouched."""
    return {
        "memory_limit": memory_limit(),
        "temp_directory": str(scratch / "spill"),
        "preserve_insertion_order": True,
        "checkpoint_threshold": "1TB",  # nothing outlives the session: packing its tables would be wasted
        # goes by times in whole seconds: of a file written again within one it gives the older content
        "enable_external_file_cache": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


@contextmanager
def engine_in(scratch: Path) -> Iterator[Engine]:
    """Open an engine whose scratch folder is gone afterwards."""
    try:
        try:
            engine = Engine(scratch)
        except duckdb.ParserException as fault:
            raise WorkspaceError(f"ONEBASKET_MEMORY={memory_limit()!r} is no size: write such as 4GB") from fault
        try:
            yield engine
        finally:
            engine.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def told(what: str, otherwise: type[Exception] = SourceError) -> Iterator[None]:
    """Turn an engine's error into ours: `what` was being read or written; `otherwise` is the error of last resort."""
    try:
        yield
    except (duckdb.Error, OSError) as fault:
        raise _explained(what, fault, otherwise) from fault


def _explained(what: str, fault: Exception, otherwise: type[Exception]) -> Exception:
    text = re.sub(r"\s+", " ", str(fault)).strip()
    if any(sign in text.lower() for sign in FULL_DISK):
        return WorkspaceError(
            f"the disk is full or refuses to write ({what}): {text}: free some space and run it again"
        )
    if NEEDS_KEY in text:
        return RecipeError(text[text.index(NEEDS_KEY) :])
    if isinstance(fault, duckdb.OutOfMemoryException):
        return WorkspaceError(f"{what} needs more memory: set ONEBASKET_MEMORY, such as 4GB: {text}")
    if isinstance(fault, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
        return RecipeError(f"{what}: an expression does not fit the export: {text}")
    return otherwise(f"{what}: {text}")
