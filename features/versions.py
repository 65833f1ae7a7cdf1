"""Which version of an order line counts, where the same line came more than once.

A line with a number is the same line wherever its source gives that number: the version with the latest
`revised_at` counts, then the one in the file with the greatest name, then, inside one file, the one that was
ordered first. A line without a number is the same line when it is equal in every field: as often as the file that
has it most often says, or once where the recipe calls identical lines duplicates.

All of it depends on what the files hold, never on when they came.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features.channels.export import ROW
from features.engine import Engine
from features.expressions import file_literal, literal, quoted
from features.landing import KEY, Landed, rows_sql
from features.sources import Intake
from features.tables import ORDER_LINES
from features.workspace import Workspace

LOSERS = "onebasket_losers"
COLUMNS = (
    "source VARCHAR, file VARCHAR, row BIGINT, day DATE, line_key UBIGINT, by_file VARCHAR, by_row BIGINT, same BOOLEAN"
)
CONTENT_COLUMNS = [column for column in ORDER_LINES.column_names if column not in {"source", "source_line_id"}]


class Versions:
    """Makes the table LOSERS: the rows that do not count, each with the row that counts instead."""

    def __init__(self, engine: Engine, intake: Intake, workspace: Workspace) -> None:
        self.engine, self.intake, self.workspace = engine, intake, workspace
        engine.run(f"CREATE OR REPLACE TEMP TABLE {LOSERS} ({COLUMNS})")

    def decide(self, source: str, live: Sequence[Landed], changed: Sequence[Landed], before: Path | None) -> None:
        """Add the losers of one source; `changed` are the files that came or went since `before` was written."""
        if before is None or len(changed) >= len(live):
            self._contested(source, live, None)
            self._rank(source, live)
            return
        self._keep(source, live, changed, before)
        if changed:
            self._contested(source, live, "changed_keys")
            self._rank(source, live)

    def _keep(self, source: str, live: Sequence[Landed], changed: Sequence[Landed], before: Path) -> None:
        """What was decided before stands, except for lines that stand in a file that came or went."""
        keys = rows_sql(changed, self.workspace, KEY) or f"SELECT 0::UBIGINT AS {KEY} WHERE false"
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE changed_keys AS SELECT DISTINCT {KEY} FROM ({keys})")
        ids = ", ".join(literal(landed.id) for landed in live)
        self.engine.run(
            f"INSERT INTO {LOSERS} SELECT * FROM read_parquet({file_literal(before)}) WHERE source = {literal(source)} "
            f"AND file IN ({ids}) AND line_key NOT IN (SELECT {KEY} FROM changed_keys)"
        )

    def _contested(self, source: str, live: Sequence[Landed], among: str | None) -> None:
        """Keys that occur more than once. A hash: the ranking looks at the lines themselves."""
        keys = rows_sql(live, self.workspace, KEY)
        some = f" WHERE {KEY} IN (SELECT {KEY} FROM {among})" if among else ""
        self.engine.run(
            f"CREATE OR REPLACE TEMP TABLE contested_keys AS SELECT {KEY} FROM ({keys}){some} GROUP BY {KEY} "
            "HAVING count(*) > 1"
        )

    def _rank(self, source: str, live: Sequence[Landed]) -> None:
        if not self.engine.rows("SELECT 1 FROM contested_keys LIMIT 1"):
            return
        content = ", ".join(map(quoted, CONTENT_COLUMNS))
        wanted = f"source_line_id, {content}, day, {KEY}"
        rows = rows_sql(live, self.workspace, wanted, f"{KEY} IN (SELECT {KEY} FROM contested_keys)")
        names = ", ".join(f"({literal(one.id)}, {literal(one.name)})" for one in live)
        once = self.intake.sources[source].identical_lines == "duplicates"
        ordinal = "1" if once else f"row_number() OVER (PARTITION BY {KEY}, {content}, onebasket_file ORDER BY {ROW})"
        last = ", ".join(f"{quoted(column)} NULLS LAST" for column in CONTENT_COLUMNS)
        order = f"revised_at DESC NULLS LAST, name DESC, ordered_at, {last}, {ROW}"
        one_line = "CASE WHEN source_line_id IS NULL THEN ordinal END, " \
                   f"CASE WHEN source_line_id IS NULL THEN md5(CAST(({content}) AS VARCHAR)) END"  # fmt: skip
        window = f"PARTITION BY {KEY}, source_line_id, {one_line} ORDER BY {order}"
        same = " AND ".join(
            f"{quoted(column)} IS NOT DISTINCT FROM first_value({quoted(column)}) OVER line"
            for column in CONTENT_COLUMNS
            if column != "revised_at"
        )
        self.engine.run(
            f"INSERT INTO {LOSERS} SELECT {literal(source)}, onebasket_file, {ROW}, day, {KEY}, by_file, by_row, same "
            f"FROM (SELECT *, row_number() OVER line AS place, first_value(onebasket_file) OVER line AS by_file, "
            f"first_value({ROW}) OVER line AS by_row, {same} AS same FROM ("
            f"SELECT rows.*, names.name, {ordinal} AS ordinal FROM ({rows}) AS rows "
            f"JOIN (VALUES {names}) AS names(id, name) ON rows.onebasket_file = names.id) "
            f"WINDOW line AS ({window})) WHERE place > 1"
        )

    def write(self, file: Path) -> None:
        """Keep the losers for the next ingest and for whoever asks what became of a line."""
        self.engine.run(
            f"COPY (SELECT * FROM {LOSERS} ORDER BY source, file, row) TO {literal(str(file))} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )

    def counts(self) -> dict[str, tuple[int, int]]:
        """Per source how many lines do not count, and how many of them differ from the one that does."""
        rows = self.engine.rows(f"SELECT source, count(*), count(*) FILTER (NOT same) FROM {LOSERS} GROUP BY source")
        return {source: (losers, replaced) for source, losers, replaced in rows}

    def changed_days(self, before: Path | None) -> set[Any]:
        """Days of the rows that counted before and do not now, or the other way round."""
        if before is None:
            return set()
        old = f"SELECT source, file, row, day FROM read_parquet({file_literal(before)})"
        new = f"SELECT source, file, row, day FROM {LOSERS}"
        query = f"SELECT DISTINCT day FROM (({old} EXCEPT {new}) UNION ALL ({new} EXCEPT {old}))"
        return {row[0] for row in self.engine.rows(query)}
