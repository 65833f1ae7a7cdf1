"""Lays the returns of a snapshot to their sales: those that came since the first day that changed."""

from collections.abc import Collection
from datetime import date

from features.engine import Engine
from features.expressions import literal
from features.ledger import Ledger
from features.lines import Lines
from features.partitions import Partitioned
from features.returns import is_return, matched_returns
from features.writing import write_table

RETURN_LINES = "ledger/return_lines"
NEEDED = [
    "source", "source_line_id", "order_id", "order_number", "product_id", "day", "location_id", "ordered_at",
    "returns_line_id", "returns_order_id", "account_id", "quantity", "net_amount", "status",
]  # fmt: skip


class ReturnSearch:
    """Writes the table returns of a snapshot. A return depends on earlier sales and returns only."""

    def __init__(self, engine: Engine, lines: Lines, ledger: Ledger, former: Ledger | None, parts: Partitioned) -> None:
        self.engine, self.lines, self.ledger, self.former, self.parts = engine, lines, ledger, former, parts

    def note(self, view: str, days: list[date]) -> None:
        """Keep the return lines among the lines of `days`."""
        lines = self.engine.ibis.table(view)
        chosen = lines.filter(is_return(lines)).select(*NEEDED)
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE chunk_returns AS {self.engine.ibis.compile(chosen)}")
        self.parts.write(RETURN_LINES, "chunk_returns", days, ["day", "source", "source_line_id"])

    def run(self, changed: Collection[date], sales: str) -> None:
        """Match the returns from the first `changed` day on; `sales` is SQL of every line of the history."""
        if self.former is not None:
            self.parts.link(RETURN_LINES, changed, self.former.rows.get(RETURN_LINES, {}))
        names = self.ledger.rows.get(RETURN_LINES, {})
        if not names:
            return
        former = self._former()
        since = min(changed, default=None) if former else date.min
        if since is not None:
            self._match(names, former, since, sales)
        elif former:
            self.engine.run(f"CREATE OR REPLACE TEMP VIEW matched AS SELECT * FROM read_parquet({literal(former)})")
        order = ["day", "source", "source_line_id", "sale_order_id", "sale_line_id"]
        count = write_table(self.engine, self.engine.ibis.table("matched"), self.parts.folder / "returns", order)
        self.ledger.rows["returns"] = {"part.parquet": count}

    def _former(self) -> str | None:
        if self.parts.before is None:
            return None
        file = self.parts.before / "returns" / "part.parquet"
        return str(file) if file.is_file() else None

    def _match(self, names: Collection[str], former: str | None, since: date, sales: str) -> None:
        """Make the relation `matched`: what was matched before `since` stands, what comes after is matched."""
        run = self.engine.run
        files = ", ".join(literal(str(self.parts.folder / RETURN_LINES / name)) for name in sorted(names))
        run(
            "CREATE OR REPLACE TEMP TABLE asked_returns AS SELECT * FROM "
            f"read_parquet([{files}], hive_partitioning = false) WHERE day >= DATE '{since}'"
        )
        stands = f"SELECT * FROM read_parquet({literal(former)}) WHERE day < DATE '{since}'" if former else None
        self._sales(sales, stands)
        table = self.engine.ibis.table
        twin = table("order_twins") if self.ledger.rows.get("order_twins") else None
        found = matched_returns(
            self.engine, table("asked_returns"), table("asked_sales"), self.lines.intake.orders, twin
        )
        rows = self.engine.keep("new_matches", found)
        if stands:
            listed = ", ".join(rows.columns)
            run(f"CREATE OR REPLACE TEMP VIEW stands AS SELECT {listed} FROM ({stands})")
            run("CREATE OR REPLACE TEMP VIEW matched AS FROM stands UNION ALL FROM new_matches")
        else:
            run("CREATE OR REPLACE TEMP VIEW matched AS FROM new_matches")

    def _sales(self, sales: str, stands: str | None) -> None:
        """Make the relation `asked_sales`: sale lines that a return may give back, less what was given back before."""
        run = self.engine.run
        twins = ""
        if self.ledger.rows.get("order_twins"):
            twins = " UNION SELECT twin.kept_source, twin.kept_order_id FROM asked_returns AS back JOIN order_twins " \
                    "AS twin ON back.source = twin.source AND coalesce(back.returns_order_id, back.order_number) = " \
                    "twin.order_number WHERE twin.kept_order_id IS NOT NULL"  # fmt: skip
        prefix = "source || ':' || " if self.lines.several else ""
        run(
            f"CREATE OR REPLACE TEMP TABLE asked_orders AS SELECT DISTINCT * FROM (SELECT source, {prefix}"
            f"coalesce(returns_order_id, order_number) AS order_id FROM asked_returns{twins})"
        )
        run("CREATE OR REPLACE TEMP TABLE asked_products AS SELECT DISTINCT account_id, product_id FROM asked_returns "
            "WHERE account_id IS NOT NULL")  # fmt: skip
        run("CREATE OR REPLACE TEMP TABLE asked_lines AS SELECT DISTINCT source, returns_line_id FROM asked_returns "
            "WHERE returns_line_id IS NOT NULL")  # fmt: skip
        run(
            f"CREATE OR REPLACE TEMP TABLE found_sales AS SELECT {', '.join(NEEDED)} FROM ({sales}) AS sale "
            "WHERE quantity > 0 AND (EXISTS (SELECT 1 FROM asked_orders AS asked WHERE asked.order_id = "
            "sale.order_id) OR "
            "EXISTS (SELECT 1 FROM asked_products AS asked WHERE asked.account_id = sale.account_id AND "
            "asked.product_id = sale.product_id) OR EXISTS (SELECT 1 FROM asked_lines AS asked WHERE "
            "asked.source = sale.source AND asked.returns_line_id = sale.source_line_id))"
        )
        taken = "SELECT NULL::VARCHAR AS sale_order_id, NULL::VARCHAR AS sale_line_id, 0::DECIMAL(18, 4) AS units " \
                "WHERE false"  # fmt: skip
        if stands:
            taken = f"SELECT sale_order_id, sale_line_id, units FROM ({stands}) WHERE sale_line_id IS NOT NULL"
        run(
            "CREATE OR REPLACE TEMP VIEW asked_sales AS SELECT sale.*, coalesce(taken.units, 0)::DECIMAL(18, 4) AS "
            "taken_before FROM found_sales AS sale LEFT JOIN (SELECT sale_order_id, sale_line_id, sum(units) AS units "
            f"FROM ({taken}) GROUP BY ALL) AS taken ON taken.sale_order_id = sale.order_id AND "
            "taken.sale_line_id = sale.source_line_id"
        )
