"""The same row twice: which one counts, decided by what the rows say and never by when they were read."""

from typing import Any

import ibis

from features.channels.export import FILE, ROW
from features.engine import Engine
from features.expressions import quoted
from features.sources import Source
from features.tables import Table

KEY, RANK = "onebasket_key", "onebasket_rank"
FIRST_BY = {"order_lines": ["ordered_at"], "plans": ["known_on"]}
# One row per thing rather than per day: the first row in the file counts, because rows that a growing export
# gets later must not change what was known of a product before.
BY_FILE_ORDER = {"catalog", "locations", "supply_terms"}


def without_duplicates(engine: Engine, name: str, source: Source, table: Table, rows: Any) -> tuple[Any, int]:
    """Return the rows with one per key, and how many were dropped.

    Of several the first counts: by `ordered_at` or `known_on` and then by content; in tables that describe
    things, by place in the file. Order lines without a line number are told apart by `identical_lines`.
    """
    if table.name != "order_lines":
        return _first_per(engine, name, rows, table, list(table.key))
    if "source_line_id" in source.columns:
        numbered = rows.filter(rows.source_line_id.notnull())
        kept, dropped = _first_per(engine, name, numbered, table, list(table.key))
        if not _any(engine, rows.filter(rows.source_line_id.isnull())):
            return kept, dropped
        rest, more = _unnumbered(engine, name, source, table, rows.filter(rows.source_line_id.isnull()))
        return kept.union(rest), dropped + more
    return _unnumbered(engine, name, source, table, rows)


def _any(engine: Engine, rows: Any) -> bool:
    return bool(engine.rows(engine.ibis.compile(rows.limit(1).select("source"))))


def _unnumbered(engine: Engine, name: str, source: Source, table: Table, rows: Any) -> tuple[Any, int]:
    """Lines without a number: each its own line, or identical ones once."""
    if source.identical_lines == "keep":
        return rows, 0
    same = [column for column in table.column_names if column != "source_line_id"]
    return _first_per(engine, f"{name}_unnumbered", rows, table, [*same, "onebasket_content"])


def _first_per(engine: Engine, name: str, rows: Any, table: Table, key: list[str]) -> tuple[Any, int]:
    """One row per key. Only the rows whose key's hash occurs again are sorted: they are few."""
    view = f"keyed_{name}"
    hashed = ", ".join(quoted(column) for column in key)
    keyed = rows.alias(view).sql(f"SELECT *, hash({hashed}) AS {KEY} FROM {quoted(view)}", dialect="duckdb")
    tally = keyed.group_by(KEY).agg(times=keyed.count())
    again = engine.keep(f"again_{name}", tally.filter(tally.times > 1).select(KEY))
    if not engine.rows(f"SELECT 1 FROM {quoted(f'again_{name}')} LIMIT 1"):
        return rows, 0
    order = [FILE, ROW] if table.name in BY_FILE_ORDER else \
        [*FIRST_BY.get(table.name, []), *table.column_names]  # fmt: skip
    contested = keyed.semi_join(again, KEY)
    window = ibis.window(group_by=key, order_by=[contested[column].asc(nulls_first=False) for column in order])
    ranked = contested.mutate(**{RANK: ibis.row_number().over(window)})
    # sorted, because the window gives its rows in no certain order, and the same input shall give the same bytes
    ranked = engine.keep(f"contested_{name}", ranked.order_by([*key, RANK]))
    plain = keyed.anti_join(again, KEY).drop(KEY)
    firsts = ranked.filter(ranked[RANK] == 0).drop(KEY, RANK)
    dropped = engine.rows(f"SELECT count(*) FROM {quoted(f'contested_{name}')} WHERE {RANK} > 0")[0][0]
    return plain.union(firsts), int(dropped)
