"""How what ingest made of an omnichannel sample compares with the truth written beside it."""

from pathlib import Path
from typing import Any

import duckdb

from features.expressions import literal
from features.workspace import Snapshot

PAIRS = """
WITH known AS (
    SELECT DISTINCT account_id, coalesce(ours.customer_id, account_id) AS customer_id, truth.person_id, truth.component,
        truth.linkable, truth.has_evidence
    FROM people AS truth LEFT JOIN accounts AS ours USING (account_id)
    WHERE component NOT IN (SELECT component FROM people WHERE erased_at IS NOT NULL)),  -- who asked to be forgotten
joined AS (
    SELECT count(*) AS pairs, count(*) FILTER (one.person_id = other.person_id) AS good
    FROM known AS one JOIN known AS other
    ON one.customer_id = other.customer_id AND one.account_id < other.account_id),
wanted AS (
    SELECT count(*) AS pairs, count(*) FILTER (one.customer_id = other.customer_id) AS good,
        count(*) FILTER (one.component = other.component) AS evident,
        count(*) FILTER (one.component = other.component AND one.customer_id = other.customer_id) AS found,
        count(*) FILTER (one.linkable AND other.linkable) AS linkable,
        count(*) FILTER (one.linkable AND other.linkable AND one.customer_id = other.customer_id) AS linked,
        count(*) FILTER (one.has_evidence AND other.has_evidence) AS told,
        count(*) FILTER (one.has_evidence AND other.has_evidence AND one.customer_id = other.customer_id) AS heard
    FROM known AS one JOIN known AS other
    ON one.person_id = other.person_id AND one.account_id < other.account_id)
SELECT joined.pairs, joined.good, evident, found, linkable, linked, told, heard, wanted.pairs, wanted.good
FROM joined, wanted
"""
LINES = """
WITH ours AS (
    SELECT order_id, product_id, day, net_units > 0 AS sold, sum(net_units) AS units, sum(net_amount) AS amount
    FROM purchase_history GROUP BY ALL),
truth AS (
    SELECT source || ':' || order_id AS order_id, product_id, day, units > 0 AS sold, sum(units) AS units,
        sum(amount) AS amount FROM lines GROUP BY ALL)
SELECT count(*), count(*) FILTER (ours.order_id IS NULL), count(*) FILTER (truth.order_id IS NULL),
    count(*) FILTER (ours.units <> truth.units), count(*) FILTER (ours.amount <> truth.amount),
    sum(ours.units) - sum(truth.units), sum(ours.amount) - sum(truth.amount)
FROM ours FULL JOIN truth USING (order_id, product_id, day, sold)
"""
TWINS = """
WITH ours AS (
    SELECT order_id, kept_order_id FROM order_twins WHERE kept_order_id IS NOT NULL),
truth AS (
    SELECT source || ':' || order_id AS order_id, kept_source || ':' || kept_order_id AS kept_order_id FROM twins),
pairs AS (
    SELECT least(order_id, kept_order_id) AS one, greatest(order_id, kept_order_id) AS other FROM {})
"""
DEMAND = """
SELECT count(*), count(*) FILTER (coalesce(ours.sold_units, 0) + coalesce(ours.gift_units, 0)
    <> coalesce(truth.sold_units, 0)), sum(truth.sold_units)
FROM (SELECT product_id, location_id, day, sold_units::DECIMAL(18, 4) AS sold_units,
        gift_units::DECIMAL(18, 4) AS gift_units FROM demand_history) AS ours
FULL JOIN demand AS truth USING (product_id, location_id, day) WHERE NOT coalesce(truth.censored, false)
"""
RETURNS = """
WITH ours AS (
    SELECT source, source_line_id, sale_order_id, sale_line_id, matched_by FROM returns),
truth AS (
    SELECT source, line_id, source || ':' || sale_order_id AS sale_order_id, sale_line_id, referenced FROM back)
SELECT count(DISTINCT truth.line_id), count(DISTINCT truth.line_id) FILTER (ours.matched_by <> 'unmatched'),
    count(DISTINCT truth.line_id) FILTER (ours.sale_order_id = truth.sale_order_id),
    count(DISTINCT truth.line_id) FILTER (truth.referenced),
    count(DISTINCT truth.line_id) FILTER (truth.referenced AND ours.sale_order_id = truth.sale_order_id)
FROM truth LEFT JOIN ours ON ours.source = truth.source AND split_part(ours.source_line_id, '+', 1) = truth.line_id
"""


def compared(snapshot: Snapshot, truth: Path) -> dict[str, Any]:
    """Measure a snapshot of a sample against its truth folder: shares, and counts that should be 0."""
    with duckdb.connect() as engine:
        for table in ("accounts", "purchase_history", "order_twins", "demand_history", "returns"):
            files = literal(snapshot.files(table))
            engine.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)")
        for view, files in {"people": "people.parquet", "lines": "lines/*.parquet", "twins": "twins/*.parquet",
                            "demand": "demand/*.parquet", "back": "returns/*.parquet"}.items():  # fmt: skip
            engine.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet({literal(str(truth / files))})")
        return _identity(engine) | _lines(engine) | _twins(engine) | _demand(engine) | _returns(engine)


def _row(engine: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    found = engine.execute(query).fetchone()
    assert found is not None
    return found


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 1.0


def _identity(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    joined, good, evident, found, linkable, linked, told, heard, pairs, every = _row(engine, PAIRS)
    return {
        "identity_precision": _share(good, joined), "identity_recall": _share(found, evident),
        "identity_recall_of_linkable": _share(linked, linkable), "identity_recall_with_evidence": _share(heard, told),
        "identity_recall_of_all_pairs": _share(every, pairs), "identity_pairs": pairs,
    }  # fmt: skip


def _lines(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows, missing, extra, units, amounts, unit_sum, amount_sum = _row(engine, LINES)
    return {
        "rows": rows, "rows_missing": missing, "rows_extra": extra, "rows_with_other_units": units,
        "rows_with_other_amounts": amounts, "units_off": str(unit_sum), "amount_off": str(amount_sum),
    }  # fmt: skip


def _twins(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    truth = _row(engine, TWINS.format("truth") + "SELECT count(*) FROM pairs")[0]
    both = TWINS.format("ours") + ", right_ones AS (SELECT least(order_id, kept_order_id) AS one, " \
        "greatest(order_id, kept_order_id) AS other FROM truth) SELECT count(*), count(*) FILTER " \
        "(right_ones.one IS NULL) FROM pairs LEFT JOIN right_ones USING (one, other)"  # fmt: skip
    found, wrong = _row(engine, both)
    return {"twins": truth, "twins_found": _share(found - wrong, truth), "wrongly_removed": wrong}


def _demand(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    cells, other, _ = _row(engine, DEMAND)
    return {"demand_cells": cells, "demand_cells_off": other}


def _returns(engine: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    lines, matched, right, named, named_right = _row(engine, RETURNS)
    return {
        "returns": lines, "returns_matched": _share(matched, lines), "returns_right": _share(right, matched),
        "returns_named_and_right": _share(named_right, named),
    }  # fmt: skip


def returns_figures(snapshot: Snapshot) -> dict[str, Any]:
    """What was given back in a history and how much of it is laid to its sale; sums must equal the history's."""
    with duckdb.connect() as engine:
        for table in ("returns", "purchase_history"):
            files = literal(snapshot.files(table))
            engine.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)")
        lines, matched, units, laid = _row(
            engine,
            "SELECT count(DISTINCT source_line_id), count(DISTINCT source_line_id) FILTER (matched_by <> 'unmatched'), "
            "sum(units), sum(units) FILTER (matched_by <> 'unmatched') FROM returns",
        )
        back, anonymous, rows = _row(
            engine,
            "SELECT -sum(net_units) FILTER (net_units < 0), count(*) FILTER (account_id IS NULL AND net_units > 0), "
            "count(*) FILTER (net_units > 0) FROM purchase_history",
        )
        levels = engine.execute(
            "SELECT matched_by, coalesce(reason, ''), count(*) FROM returns GROUP BY ALL ORDER BY 3 DESC"
        ).fetchall()
    figures = {
        "return lines": lines, "lines matched": _share(matched, lines), "units matched": _share(laid, units),
        "units in returns less units in the history": str(units - back),
        "anonymous purchases kept as demand": _share(anonymous, rows),
    }  # fmt: skip
    return figures | {f"{level} {reason}".strip(): count for level, reason, count in levels}
