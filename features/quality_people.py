"""Where channels overlap: customers of several, orders that two systems have, who is who, and what came back."""

from typing import Any

from features.engine import Engine
from features.expressions import file_literal, literal
from features.ledger import FOLDER, Ledger
from features.likeness import REPORTED
from features.quality_volume import Figures
from features.visits import VISITS
from features.workspace import Snapshot

LARGEST = 10
SHOWN_SETS = 20
# What features/twin_words.py says of an order that was left, told by its fixed words.
LEFT = (
    ("% earlier orders fit, %", "several earlier orders fit"),
    ("% belongs to an earlier order of %", "the order that fits has its twin already"),
    ("% earlier orders are alike, %", "too many orders are alike"),
    ("% of the same number was cancelled", "the order of the same number was cancelled"),
    ("% has the same number, but %", "the same number, but customer, location and amount differ"),
    ("% is told from it by its number", "their numbers tell them apart"),
)


def table_of(snapshot: Snapshot, table: str) -> str:
    """A table of a snapshot as a relation."""
    return f"read_parquet({literal(snapshot.files(table))}, hive_partitioning = false)"


def overlaps(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> Figures:
    """Customers by the channels that they bought in, and how many are in several."""
    if not ledger.rows.get(VISITS) or not snapshot.holds("accounts"):
        return {}
    engine.run(
        "CREATE OR REPLACE TEMP TABLE quality_channels AS WITH bought AS (SELECT DISTINCT account_id, channel FROM "
        f"{table_of(snapshot, VISITS)} WHERE bought), whose AS (SELECT DISTINCT account_id, customer_id FROM "
        f"{table_of(snapshot, 'accounts')}) SELECT customer_id, count(DISTINCT channel) AS channels, "
        "list_sort(list(DISTINCT channel)) AS names FROM bought JOIN whose USING (account_id) GROUP BY customer_id"
    )
    sets = engine.rows("SELECT names, count(*) FROM quality_channels GROUP BY names ORDER BY 2 DESC, names")
    total, several = engine.rows("SELECT count(*), count(*) FILTER (channels > 1) FROM quality_channels")[0]
    return {
        "customers": total, "in_several_channels": several, "sets_found": len(sets),
        "sets": [{"channels": list(names), "customers": customers} for names, customers in sets[:SHOWN_SETS]],
    }  # fmt: skip


def twins(engine: Engine, snapshot: Snapshot, ledger: Ledger, orders: int) -> Figures:
    """Orders that two systems exported, by pair of sources and evidence; those left, by reason, with an example."""
    if not ledger.rows.get("order_twins"):
        return {}
    table = table_of(snapshot, "order_twins")
    found = engine.rows(
        f"SELECT source, kept_source, evidence, count(*), median(seconds_apart)::BIGINT FROM {table} "
        "WHERE kept_order_id IS NOT NULL GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3"
    )
    whens = " ".join(f"WHEN explanation LIKE {literal(words)} THEN {literal(reason)}" for words, reason in LEFT)
    left = engine.rows(
        f"SELECT source, CASE {whens} ELSE 'other' END, count(*), min(order_id), min_by(explanation, order_id) "
        f"FROM {table} WHERE kept_order_id IS NULL GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    )
    undecided = sum(row[2] for row in left)
    return {
        "twins": sum(row[3] for row in found), "undecided": undecided,
        "undecided_share": undecided / orders if orders else 0.0,
        "pairs": [
            {"source": source, "kept_source": kept, "evidence": evidence, "orders": count,
             "median_seconds_apart": apart}
            for source, kept, evidence, count, apart in found
        ],
        "left": [{"source": source, "reason": reason, "orders": count, "order_id": order, "explanation": words}
                 for source, reason, count, order, words in left],
    }  # fmt: skip


def identity(engine: Engine, snapshot: Snapshot) -> Figures:
    """The graph of accounts: how many make a customer, what joined them, what was held back, the largest.

    What is only alike does not count as up for review: that a guess joined nobody is no fault of the data. The row
    about likeness as a whole is `likeness`, None where the recipe is without.
    """
    if not snapshot.holds("accounts"):
        return {}
    engine.run(
        "CREATE OR REPLACE TEMP TABLE quality_customers AS SELECT customer_id, count(DISTINCT account_id) AS accounts, "
        f"list_sort(list(DISTINCT channel)) AS channels FROM {table_of(snapshot, 'accounts')} GROUP BY customer_id"
    )
    sizes = engine.rows("SELECT accounts, count(*) FROM quality_customers GROUP BY 1 ORDER BY 1")
    largest = engine.rows("SELECT customer_id, accounts, channels FROM quality_customers WHERE accounts > 1 "
                          f"ORDER BY accounts DESC, customer_id LIMIT {LARGEST}")  # fmt: skip
    customers = sum(count for _, count in sizes)
    cut = _cut(engine, snapshot)
    review = sum(values for kind, _, values, *_ in cut if kind != "likeness")
    return {
        "accounts": sum(size * count for size, count in sizes), "customers": customers,
        "sizes": [{"accounts": size, "customers": count} for size, count in sizes],
        "largest": [{"customer_id": who, "accounts": size, "channels": list(channels)}
                    for who, size, channels in largest],
        "evidence": _evidence(engine, snapshot),
        "joins": [{"kind": kind, "joins": count} for kind, count in _rows(
            engine, snapshot, "identity_log", "SELECT kind, count(*) FROM {table} GROUP BY 1 ORDER BY 2 DESC, 1")],
        "review": review, "review_share": review / customers if customers else 0.0,
        "cut": [{"kind": kind, "reason": reason, "values": count, "most_accounts": accounts, "most_customers": people}
                for kind, reason, count, accounts, people in cut],
        "likeness": _likeness(engine, snapshot),
    }  # fmt: skip


def _cut(engine: Engine, snapshot: Snapshot) -> list[tuple[Any, ...]]:
    """What was held back: kind, reason, values, most accounts and most customers of a value."""
    query = "SELECT kind, reason, count(*), max(accounts), max(customers) FROM {table} WHERE value_hash <> "
    query += f"{literal(REPORTED)} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    return _rows(engine, snapshot, "identity_review", query)


def _likeness(engine: Engine, snapshot: Snapshot) -> Figures | None:
    query = f"SELECT accounts, customers, reason FROM {{table}} WHERE value_hash = {literal(REPORTED)}"
    rows = _rows(engine, snapshot, "identity_review", query)
    return dict(zip(("accounts", "customers", "reason"), rows[0], strict=True)) if rows else None


def _evidence(engine: Engine, snapshot: Snapshot) -> list[Figures]:
    """Links by kind: accounts that have one, different values, and values that several accounts share."""
    file = snapshot.folder / FOLDER / "links.parquet"
    if not file.is_file():
        return []
    rows = engine.rows(
        "SELECT kind, sum(accounts)::BIGINT, count(*), count(*) FILTER (accounts > 1) FROM (SELECT kind, value_hash, "
        f"count(DISTINCT account_id) AS accounts FROM read_parquet({file_literal(file)}) GROUP BY ALL) "
        "GROUP BY 1 ORDER BY 1"
    )
    return [{"kind": kind, "links": links, "values": values, "shared_values": shared}
            for kind, links, values, shared in rows]  # fmt: skip


def returns(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> Figures:
    """What came back, by how it was laid to its sale; and why the rest was not."""
    if not ledger.rows.get("returns"):
        return {}
    rows = engine.rows(
        "SELECT matched_by, reason, count(*), coalesce(sum(units), 0)::DOUBLE, coalesce(sum(amount), 0)::DOUBLE, "
        f"median(day - sale_day)::BIGINT FROM {table_of(snapshot, 'returns')} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    )
    total, matched = (sum(row[3] for row in rows if every or row[0] != "unmatched") for every in (True, False))
    lines, laid = (sum(row[2] for row in rows if every or row[0] != "unmatched") for every in (True, False))
    shares = [part / whole for part, whole in ((matched, total), (laid, lines)) if whole]
    return {  # money given back alone has no units: it counts by its lines
        "units": total, "matched_units": matched, "matched_share": min(shares, default=1.0),
        "levels": [
            {"matched_by": level, "reason": reason, "rows": count, "units": units, "amount": amount,
             "median_days": days}
            for level, reason, count, units, amount, days in rows
        ],
    }  # fmt: skip


def _rows(engine: Engine, snapshot: Snapshot, table: str, query: str) -> list[tuple[Any, ...]]:
    if not snapshot.holds(table):
        return []
    return engine.rows(query.format(table=table_of(snapshot, table)))
