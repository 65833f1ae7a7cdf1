"""Events that the server received, each under the unified customer: who that is, is known when they are read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.errors import TableError
from features.joined_accounts import AccountNumbers, JoinedAccounts
from features.tables import EVENTS
from features.who import accounts_as_of
from features.workspace import Snapshot

COLUMNS = (*EVENTS.column_names, "received_at")
INSTANT = pa.timestamp("us", "UTC")
TYPES = {"position": pa.int64(), "quantity": pa.float64(), "happened_at": INSTANT, "received_at": INSTANT}
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in COLUMNS])
PERSONAL = ("customer_id", "channel_customer_id", "anonymous_id", "session_id")
ROWS_AT_ONCE = 100_000

Row = dict[str, Any]


def live_events(file: Path, snapshot: Snapshot, customer: str | None = None) -> Iterator[pa.Table]:
    """The stored events in the order in which they happened, a part at a time, as SCHEMA.

    customer_id is the customer as of the snapshot's last day, whether an event named it, an account of it, or a
    customer that was joined to it since; `customer`, named in any of these ways, keeps only its own. Events of an
    account that wished to be erased come without a name. Raises TableError where nothing was received yet.
    """
    if not file.is_file():
        raise TableError(f"there is no {file}: no server of this workspace has received an event yet")
    numbers: AccountNumbers = snapshot.facts["recipe"]["identity"]["account_numbers"]
    joined = JoinedAccounts.of(accounts_as_of(snapshot, snapshot.last_day), numbers)
    erased = _erased(snapshot, joined)
    wanted = joined.customer_of(customer) if customer is not None else None
    for rows in _stored(file):
        part = pa.Table.from_pylist([_under_its_customer(row, joined, erased) for row in rows], SCHEMA)
        yield part if wanted is None else part.filter(pc.fill_null(pc.equal(part["customer_id"], wanted), False))


def _stored(file: Path) -> Iterator[list[Row]]:
    query = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY happened_at, event_id"
    instants = ("happened_at", "received_at")
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as store:
        found = store.execute(query)
        while rows := found.fetchmany(ROWS_AT_ONCE):
            named = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
            yield [row | {name: datetime.fromisoformat(row[name]) for name in instants} for row in named]


def _under_its_customer(row: Row, joined: JoinedAccounts, erased: frozenset[str]) -> Row:
    account = _account_of(row["channel"], row["channel_customer_id"], joined)
    if {row["customer_id"], account} & erased:
        return row | dict.fromkeys(PERSONAL)
    said = row["customer_id"] or account
    return row | {"customer_id": None if said is None else joined.customer_of(said)}


def _account_of(channel: str | None, number: str | None, joined: JoinedAccounts) -> str | None:
    """The account that an event names; None for a guest, and for a number per channel without its channel."""
    if number is None or (channel is None and joined.account_numbers != "shared"):
        return None
    return joined.account_ids(channel or "", number)[0]


def _erased(snapshot: Snapshot, joined: JoinedAccounts) -> frozenset[str]:
    if not snapshot.holds("consents"):
        return frozenset()
    asked = snapshot.read("consents", pads.field("wish") == "erase", ["channel", "channel_customer_id"]).to_pylist()
    return frozenset(name for row in asked for name in joined.account_ids(row["channel"], row["channel_customer_id"]))
