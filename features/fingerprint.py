"""A fingerprint of everything that a model as of a day may read: equal rows, equal text."""

import hashlib
import json
from datetime import date

import duckdb

from features.engine import memory_limit
from features.errors import HistoryError
from features.expressions import literal, quoted
from features.opt_outs import opted_out_as_of
from features.tables import EVERY_LOCATION
from features.who import accounts_as_of
from features.workspace import Snapshot

AHEAD_DAYS = 180  # the furthest that a forecast may look into the calendar
SOLD = "SELECT DISTINCT {column} FROM purchase_history WHERE day <= $as_of"
READABLE = {
    "purchase_history": "day <= $as_of",
    "demand_history": "day <= $as_of",
    "stock": "day <= $as_of",
    "plans": "known_on <= $as_of",
    "prices": "starts_on <= $as_of",
    "listings": "starts_on <= $as_of",
    "calendar": f"day <= $as_of + {AHEAD_DAYS}",
    "catalog": f"product_id IN ({SOLD.format(column='product_id')})",
    "locations": f"location_id IN ({SOLD.format(column='location_id')}) "
                 f"OR location_id IN ({SOLD.format(column='demand_location_id')})",
    "supply_terms": f"(location_id = {literal(EVERY_LOCATION)} OR location_id IN ({SOLD.format(column='location_id')}))"
                    f" AND product_id IN ({SOLD.format(column='product_id')})",
}  # fmt: skip

# the end of a listing is known when it has come
KNOWN = {"listings": "* REPLACE (CASE WHEN ends_on <= DATE '{as_of}' THEN ends_on END AS ends_on)"}


def fingerprint(snapshot: Snapshot, as_of: date) -> str:
    """Hash the rows that may be known at the end of `as_of`, in whatever order they are stored; 16 hex digits.

    Rows of a later day change nothing. Raises HistoryError when `as_of` is before the first purchase.
    """
    if as_of < snapshot.first_day:
        raise HistoryError(f"nothing was bought up to {as_of}: the history begins on {snapshot.first_day}")
    digest = hashlib.sha256()
    with duckdb.connect(config={"memory_limit": memory_limit()}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        held = [table for table in READABLE if snapshot.holds(table)]
        for table in held:
            files = literal(snapshot.files(table))
            known = KNOWN.get(table, "*").format(as_of=as_of)
            engine.execute(
                f"CREATE VIEW {table} AS SELECT {known} FROM read_parquet({files}, hive_partitioning = false)"
            )
        for table in held:
            digest.update(f"{table}:{_sum(engine, table, as_of)};".encode())
        digest.update(f"accounts:{_whose(engine, snapshot, as_of)};".encode())
    return digest.hexdigest()[:16]


def _whose(engine: duckdb.DuckDBPyConnection, snapshot: Snapshot, as_of: date) -> str:
    """The same of the accounts that were joined or bought by then, whose they were, and who has opted out."""
    whose = accounts_as_of(snapshot, as_of)
    engine.register("whose", whose)
    found = engine.execute(
        "SELECT count(*), sum(hash(account_id, customer_id)::HUGEINT) FROM whose WHERE account_id <> customer_id "
        "OR account_id IN (SELECT account_id FROM purchase_history WHERE day <= $as_of)", {"as_of": as_of}
    )  # fmt: skip
    refused = sorted(opted_out_as_of(snapshot, as_of, whose))
    return f"{found.fetchone()};{hashlib.sha256(json.dumps(refused).encode()).hexdigest()}"


def _sum(engine: duckdb.DuckDBPyConnection, table: str, as_of: date) -> str:
    """Count and sum of the rows' hashes: an order-free hash of a bag of rows, columns by name."""
    columns = sorted(row[0] for row in engine.execute(f"DESCRIBE {table}").fetchall())
    row = f"hash({', '.join(quoted(column) for column in columns)})"
    found = engine.execute(
        f"SELECT count(*), sum({row}::HUGEINT) FROM {table} WHERE {READABLE[table]}", {"as_of": as_of}
    )
    return str(found.fetchone())
