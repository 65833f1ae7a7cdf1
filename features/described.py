"""The tables beside order lines: what several files say of a thing, put together to one row per key."""

from collections.abc import Sequence
from dataclasses import dataclass

from features.channels.export import ROW
from features.engine import Engine
from features.expressions import literal, quoted
from features.landing import Landed, rows_sql
from features.tables import Table
from features.workspace import Workspace

FIRST_BY = {"plans": ["known_on"]}
# One row per thing rather than per day: the first row in the file counts, because rows that a growing export
# gets later must not change what was known of a product before.
BY_FILE_ORDER = {"catalog", "locations", "supply_terms", "bundles", "product_units"}


@dataclass(frozen=True)
class Described:
    """A table's rows as a relation of the engine, and how many rows of each source other rows stand for."""

    view: str
    dropped: dict[str, int]


def named(table: str) -> str:
    """The relation of a table's rows in the engine."""
    return f"described_{table}"


def described(
    engine: Engine, workspace: Workspace, table: Table, landed: Sequence[Landed], sources: Sequence[str],
    where: str = "true",
) -> Described:  # fmt: skip
    """Put the usable rows of `landed` together, one per key.

    Of several the first source of the recipe counts, then a plan that was known first, then the file with the
    greatest name (a newer export corrects an older one), then the first in the file or by what the row says.
    """
    columns = list(table.column_names)
    names = sorted({one.name for one in landed})
    places = ", ".join(
        f"({literal(one.source)}, {literal(one.id)}, {sources.index(one.source)}, {names.index(one.name)})"
        for one in landed
    )
    parts = [
        f"SELECT {literal(source)} AS onebasket_source, * FROM ({rows_sql(of, workspace, _listed(columns), where)})"
        for source in sources if (of := [one for one in landed if one.source == source])
    ]  # fmt: skip
    key = ", ".join(f"{quoted(column)}" for column in table.key)
    view = f"rows_{table.name}"
    engine.run(
        f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT rows.*, places.rank AS onebasket_rank, places.name AS "
        f"onebasket_name, "
        f"hash({key}) AS onebasket_key FROM ({' UNION ALL BY NAME '.join(parts)}) AS rows JOIN (VALUES {places}) AS "
        f"places(source, file, rank, name) ON rows.onebasket_source = places.source AND rows.onebasket_file = "
        f"places.file"
    )
    engine.run(f"CREATE OR REPLACE TEMP TABLE again_{table.name} AS SELECT onebasket_key FROM {view} GROUP BY 1 "
               "HAVING count(*) > 1")  # fmt: skip
    again = f"SELECT onebasket_key FROM again_{table.name}"
    rule = [*FIRST_BY.get(table.name, []), "onebasket_name DESC",
            *([] if table.name in BY_FILE_ORDER else map(quoted, columns)), ROW]  # fmt: skip
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE ranked_{table.name} AS SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY "
        f"onebasket_rank, {', '.join(rule)}) AS place FROM {view} WHERE onebasket_key IN ({again})"
    )
    listed = _listed(columns)
    plain = f"SELECT {listed} FROM {view}"
    if engine.rows(f"SELECT 1 FROM again_{table.name} LIMIT 1"):
        plain += (
            f" WHERE onebasket_key NOT IN ({again}) UNION ALL SELECT {listed} FROM ranked_{table.name} WHERE place = 1"
        )
    engine.run(f"CREATE OR REPLACE TEMP VIEW {named(table.name)} AS {plain}")
    dropped = dict(
        engine.rows(f"SELECT onebasket_source, count(*) FROM ranked_{table.name} WHERE place > 1 GROUP BY 1")
    )
    return Described(named(table.name), dropped)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted, columns))
