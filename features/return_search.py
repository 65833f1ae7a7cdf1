"""Lays the returns of a snapshot to their sales: those that came since the first day that changed."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from features.engine import SHARED, Engine
from features.expressions import file_literal, literal
from features.ledger import Ledger
from features.lines import Lines
from features.partitions import Form, Layout, Partitioned
from features.returns import LINE, ORDER, is_return, matched_returns

RETURN_LINES = "ledger/return_lines"
NEEDED = [
    "source", "source_line_id", "order_id", "order_number", "product_id", "day", "location_id", "ordered_at",
    "returns_line_id", "returns_order_id", "account_id", "quantity", "net_amount", "status",
]  # fmt: skip
ORDER_IN_FILE = ["day", "source", "source_line_id", "sale_order_id", "sale_line_id"]

# What customers brought back without naming, in their own source, an earlier sale of the product.
LEFT = """
SELECT account_id, product_id, min(day) AS day FROM asked_returns AS back WHERE account_id IS NOT NULL AND
    returns_order_id IS NULL AND returns_line_id IS NULL AND NOT EXISTS (
    SELECT 1 FROM named_sales AS sale WHERE sale.source = back.source AND sale.ordered_at <= back.ordered_at AND
    sale.order_number = back.order_number AND sale.product_id = back.product_id)
GROUP BY account_id, product_id
"""


class ReturnSearch:
    """Writes the table returns of a snapshot. A return depends on earlier sales and returns only."""

    def __init__(self, engine: Engine, lines: Lines, ledger: Ledger, former: Ledger | None, parts: Partitioned) -> None:
        self.engine, self.lines, self.ledger, self.former, self.parts = engine, lines, ledger, former, parts
        # a month of returns is small where one of lines is large
        self.months = replace(parts, form=Form(frozenset()), former=Form(frozenset()))

    def note(self, view: str, days: list[date]) -> None:
        """Keep the return lines among the lines of `days`."""
        lines = self.engine.ibis.table(view)
        chosen = lines.filter(is_return(lines)).select(*NEEDED)
        self.engine.share("chunk_returns", self.engine.ibis.compile(chosen))
        layout = Layout(["day", "source", "source_line_id"])
        self.parts.write(RETURN_LINES, f"{SHARED}.chunk_returns", days, layout, shared=True)

    def run(self, changed: Collection[date], sales: str) -> None:
        """Match the returns from the first `changed` day on; `sales` is SQL of every line of the history."""
        if self.former is not None:
            self.parts.link(RETURN_LINES, changed, self.former.rows.get(RETURN_LINES, {}))
        names = self.ledger.rows.get(RETURN_LINES, {})
        if not names:
            return
        before = self.former.rows.get("returns", {}) if self.former is not None else {}
        anew = set(changed)
        if changed or not before:
            since = min(changed) if before else date.min
            self._match(names, self._standing(before, since), since, sales)
            anew |= {day for day in self.ledger.lines(self.lines.intake.of_table("order_lines")) if day >= since}
            self.months.write("returns", "matched", anew, Layout(ORDER_IN_FILE))
        self.months.link("returns", anew, before)

    def _standing(self, before: Collection[str], since: date) -> str | None:
        """SQL of what was matched in the snapshot before, up to the day `since`."""
        if not before or self.parts.before is None:
            return None
        files = ", ".join(file_literal(self.parts.before / "returns" / name) for name in sorted(before))
        return f"SELECT * FROM read_parquet([{files}], hive_partitioning = false) WHERE day < DATE '{since}'"

    def _match(self, names: Collection[str], stands: str | None, since: date, sales: str) -> None:
        """Make the relation `matched`: what was matched before `since` stands, what comes after is matched."""
        run = self.engine.run
        files = ", ".join(file_literal(self.parts.folder / RETURN_LINES / name) for name in sorted(names))
        run(
            "CREATE OR REPLACE TEMP TABLE asked_returns AS SELECT * FROM "
            f"read_parquet([{files}], hive_partitioning = false) WHERE day >= DATE '{since}'"
        )
        self._sales(sales, stands)
        table = self.engine.ibis.table
        twin = table("order_twins") if self.ledger.rows.get("order_twins") else None
        found = matched_returns(
            self.engine, table("asked_returns"), table("asked_sales"), self.lines.intake.orders, twin,
            self._takers(stands) if stands else None,
        )  # fmt: skip
        rows = self.engine.keep("new_matches", found)
        if stands:
            listed = ", ".join(rows.columns)
            run(f"CREATE OR REPLACE TEMP VIEW stands AS SELECT {listed} FROM ({stands})")
            run("CREATE OR REPLACE TEMP VIEW matched AS FROM stands UNION ALL FROM new_matches")
        else:
            run("CREATE OR REPLACE TEMP VIEW matched AS FROM new_matches")

    def _takers(self, stands: str) -> Any:
        """The sources whose earlier returns took of the sales that are asked for."""
        by = ", ".join(literal(name) for name in (LINE, ORDER))
        self.engine.run(
            "CREATE OR REPLACE TEMP VIEW standing_takers AS SELECT DISTINCT sale.source AS sale_source, "
            f"sale.source_line_id AS sale_line_id, back.source AS taker FROM ({stands}) AS back JOIN found_sales "
            "AS sale ON back.sale_order_id = sale.order_id AND back.sale_line_id = sale.source_line_id "
            f"WHERE back.units > 0 AND back.matched_by IN ({by})"
        )
        return self.engine.ibis.table("standing_takers")

    def _kept_numbers(self) -> str:
        """The numbers of orders that were kept for the ones that returns name."""
        if not self.ledger.rows.get("order_twins"):
            return ""
        return (
            " UNION SELECT substr(twin.kept_order_id, length(twin.kept_source) + 2) FROM asked_returns AS back JOIN "
            "order_twins AS twin ON back.source = twin.source AND coalesce(back.returns_order_id, back.order_number) = "
            "twin.order_number WHERE twin.kept_order_id IS NOT NULL"
        )

    def _sales(self, sales: str, stands: str | None) -> None:
        """Make the relation `asked_sales`: sale lines that a return may give back, less what was given back before."""
        run = self.engine.run
        run(
            "CREATE OR REPLACE TEMP TABLE asked_orders AS SELECT DISTINCT coalesce(returns_order_id, order_number) "
            "AS order_number FROM asked_returns "
            "UNION SELECT substr(returns_order_id, strpos(returns_order_id, ':') + 1) FROM asked_returns "
            f"WHERE contains(returns_order_id, ':'){self._kept_numbers()}"
        )
        run("CREATE OR REPLACE TEMP TABLE asked_lines AS SELECT DISTINCT returns_line_id AS source_line_id "
            "FROM asked_returns WHERE returns_line_id IS NOT NULL")  # fmt: skip
        columns = ", ".join(NEEDED)
        # numbers are asked for as they stand in the files, so that only the parts that may hold them are read
        run(f"CREATE OR REPLACE TEMP TABLE named_sales AS SELECT {columns} FROM ({sales}) AS sale "
            "SEMI JOIN asked_orders USING (order_number) WHERE quantity > 0")  # fmt: skip
        if self.engine.rows("SELECT 1 FROM asked_lines LIMIT 1"):
            run(f"INSERT INTO named_sales SELECT {columns} FROM ({sales}) AS sale SEMI JOIN asked_lines "
                "USING (source_line_id) WHERE quantity > 0")  # fmt: skip
        run(f"CREATE OR REPLACE TEMP TABLE asked_products AS {LEFT}")
        first = self.engine.rows("SELECT min(day) FROM asked_products")[0][0]
        if first is not None:
            since = first - timedelta(days=self.lines.intake.orders.return_days + 1)  # by local days, which may be off
            asked = "SELECT hash(account_id, product_id) FROM asked_products"
            run(f"INSERT INTO named_sales SELECT {columns} FROM ({sales}) AS sale WHERE quantity > 0 AND "
                f"day >= DATE '{since}' AND hash(account_id, product_id) IN ({asked})")  # fmt: skip
        run("CREATE OR REPLACE TEMP TABLE found_sales AS SELECT DISTINCT * FROM named_sales")
        taken = "SELECT NULL::VARCHAR AS sale_order_id, NULL::VARCHAR AS sale_line_id, 0::DECIMAL(18, 4) AS units " \
                "WHERE false"  # fmt: skip
        if stands:
            taken = f"SELECT sale_order_id, sale_line_id, units FROM ({stands}) WHERE sale_order_id IN " \
                    "(SELECT order_id FROM found_sales) AND sale_line_id IS NOT NULL"  # fmt: skip
        run(
            "CREATE OR REPLACE TEMP VIEW asked_sales AS SELECT sale.*, coalesce(taken.units, 0)::DECIMAL(18, 4) AS "
            "taken_before FROM found_sales AS sale LEFT JOIN (SELECT sale_order_id, sale_line_id, sum(units) AS units "
            f"FROM ({taken}) GROUP BY ALL) AS taken ON taken.sale_order_id = sale.order_id AND "
            "taken.sale_line_id = sale.source_line_id"
        )
