"""From order lines to purchase history and demand, day by day: only the days that changed are made anew."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ibis

from features.bundles import exploded
from features.engine import SHARED, Engine
from features.errors import SourceError
from features.expressions import every_parquet, file_literal, quoted
from features.ledger import Ledger
from features.lines import Lines
from features.partitions import Form, Layout, Partitioned, chunks
from features.progress import Progress
from features.repeated import repeated
from features.return_search import NEEDED, ReturnSearch
from features.tables import ORDER_LINES
from features.twin_decisions import receipt_links
from features.twin_search import TwinSearch
from features.unify import HISTORY, demand_history, purchase_history, single_cells, single_lines, summed_cells
from features.visits import Visits

CHUNK_LINES = 2_000_000  # order lines that are unified at a time
HISTORY_ORDER = ["day", "order_id", "product_id"]
DEMAND_ORDER = ["day", "location_id", "product_id"]
OWN_COLUMNS = [column if column != "net_units" else "quantity" for column in HISTORY]
LINE_COLUMNS = [*dict.fromkeys([*OWN_COLUMNS, *NEEDED])]
# what only returns are asked for takes hardly any room where it is null in all other lines
OF_RETURNS = ", ".join(
    f"CASE WHEN quantity <= 0 THEN {column} END AS {column}" for column in NEEDED if column not in OWN_COLUMNS
)
ONE_TEXT = ("channel", "unit")  # columns that hold the same text in every line, where nothing is mapped to them
GIVEN_COLUMNS = [
    "product_id", "demand_location_id", "demand_day", "net_units", "net_amount", "discount_amount", "gift",
]  # fmt: skip
# What the kept order's system does not know is no repetition: a return that only the other system took.
WITHOUT_TWINS = """
SELECT every.* FROM ({lines}) AS every LEFT JOIN dropped_orders AS dropped USING (order_id, day)
WHERE dropped.order_id IS NULL OR (every.quantity <= 0 AND NOT EXISTS (SELECT 1 FROM ({lines}) AS kept
    WHERE kept.quantity <= 0 AND kept.order_id = dropped.kept_order_id AND kept.day = every.day
    AND kept.product_id = every.product_id AND kept.quantity = every.quantity))
"""


class Rebuild:
    """Writes purchase_history and demand_history of a snapshot, beside the one before."""

    def __init__(
        self, engine: Engine, lines: Lines, ledger: Ledger, former: Ledger | None, folder: Path, before: Path | None
    ) -> None:
        self.engine, self.lines, self.ledger, self.former, self.folder = engine, lines, ledger, former, folder
        sources = lines.intake.of_table("order_lines")
        self.counts = ledger.lines(sources)
        former_form = Form.of(former.lines(sources)) if former is not None else Form(frozenset())
        self.parts = Partitioned(engine, folder, before, Form.of(self.counts), former_form, rows=ledger.rows)
        self.search = TwinSearch(engine, lines, ledger, former, self.parts)
        self.back = ReturnSearch(engine, lines, ledger, former, self.parts)
        self.visits = Visits(self.parts, ledger, former)
        self.bundles: Any | None = None
        self._compiled: dict[str, str] = {}
        for name in ONE_TEXT:
            engine.run(f"CREATE TYPE {SHARED}.only_{name} AS ENUM ({ORDER_LINES.column(name).default})")

    def run(self, touched: set[date], moved: set[date], links: str | None, progress: Progress) -> None:
        """Make the days in `touched` anew, and demand also on `moved` days, whose stock or plans changed.

        `links` is the relation of identity links that twins are told by, None where there are none.
        """
        form = self.parts.form
        if self.lines.several:
            with progress.step("find orders that two systems exported") as step:
                touched = touched | self.search.run(touched, links, step)
        days = form.widened(touched, self.parts.former) if self.former is not None else touched
        groups = list(chunks(days, self.counts, CHUNK_LINES, form))
        with progress.step("write history", 2 * len(groups) + 1) as step:
            handed = set(days)
            for group in groups:
                handed |= self._unify(group)
                step.advance()
            self.engine.forget("chunk_lines", "chunk_returns", "chunk_tied")
            self._take_over(days)
            self.back.run(days, self._lines(min(self.counts), max(self.counts)))
            if self.former is not None:
                handed |= {date.fromisoformat(day) for gone in days for day in self.former.ahead.get(str(gone), [])}
                handed = form.widened(handed | moved, self.parts.former)
            for group in chunks(handed, self.counts, CHUNK_LINES, form):
                self._demand(group)
                step.advance()
            self.parts.link("demand_history", handed, self._former_rows("demand_history"))
            step.advance()

    def _unify(self, days: list[date]) -> set[date]:
        """Write the history of `days`; returns the later days on which some of it is handed over."""
        lines = f"SELECT * REPLACE ({OF_RETURNS}) FROM ({self._lines(days[0], days[-1])})"
        self._keyed("chunk_lines", LINE_COLUMNS, lines, "order_id, product_id", self._implied(days[0], days[-1]))
        if self.engine.rows("SELECT 1 FROM chunk_lines WHERE quantity <= 0 LIMIT 1") or self.former is not None:
            self.back.note("chunk_lines", days)
        handed = self._visits_and_places(days)
        single, several = self._summed("chunk_lines", purchase_history, single_lines)
        ties = ", ".join(f"{column} NULLS FIRST" for column in HISTORY)
        self.engine.share("chunk_tied", f"SELECT *, row_number() OVER (ORDER BY {ties}) AS tie FROM {several}")
        rows = f"(SELECT *, NULL AS tie FROM ({single}) UNION ALL SELECT * FROM {SHARED}.chunk_tied)"
        layout = Layout(HISTORY_ORDER, tie="tie", columns=HISTORY, implied=self._implied_when_written)
        self.parts.write("purchase_history", rows, days, layout, shared=True)
        return handed

    def _implied(self, first: date, last: date) -> dict[str, str]:
        """SQL of the columns of lines of these days that follow from the others."""
        return self.lines.implied(first, last) if self.bundles is None else {}

    def _implied_when_written(self, first: date, last: date) -> dict[str, str]:
        """The same for the writer, to which a text that never changes is cheapest as an ENUM of one."""
        implied = self._implied(first, last)
        return implied | {name: f"{sql}::{SHARED}.only_{name}" for name, sql in implied.items() if name in ONE_TEXT}

    def _visits_and_places(self, days: list[date]) -> set[date]:
        """Write who bought on which of the `days`, and note where; returns the later days of handing over."""
        self.visits.write("chunk_lines", days)
        ahead = self.engine.rows("SELECT DISTINCT day, demand_day FROM chunk_lines WHERE demand_day <> day")
        for day, handed in sorted(ahead):
            self.ledger.ahead.setdefault(str(day), []).append(str(handed))
        places = self.engine.rows("SELECT DISTINCT day, demand_location_id FROM chunk_lines "
                                  "UNION SELECT DISTINCT day, location_id FROM chunk_lines")  # fmt: skip
        for day, place in sorted(places):
            self.ledger.places.setdefault(str(day), []).append(place)
        return {handed for _, handed in ahead}

    def _lines(self, first: date, last: date) -> str:
        """SQL of the lines from `first` to `last`, without orders that another system had, and bundles taken apart."""
        lines = self.lines.sql(first, last)
        if self.ledger.rows.get("order_twins"):
            lines = WITHOUT_TWINS.format(lines=lines)
        if self.bundles is None:
            return lines
        self.engine.run(f"CREATE OR REPLACE TEMP VIEW whole_lines AS {lines}")
        return str(self.engine.ibis.compile(exploded(self.engine.ibis.table("whole_lines"), self.bundles)))

    def _keyed(
        self, name: str, columns: Sequence[str], rows: str, key: str, implied: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Compute rows into a shared table, with a hash of their key; `<name>_again` has the hashes that come again.

        `implied` is SQL of columns that need no place in it, as they follow from the others.
        """
        listed = ", ".join(quoted(column) for column in columns if column not in implied)
        self.engine.share(name, f"SELECT {listed}, hash({key}) AS onebasket_key FROM ({rows})", implied)
        hashes = self.engine.run(f"SELECT onebasket_key FROM {name}").fetchnumpy()["onebasket_key"]
        self.engine.share_array(f"{name}_again", "onebasket_key", repeated(hashes))

    def _summed(self, name: str, several: Any, single: Any) -> tuple[str, str]:
        """SQL of the rows of a keyed table that are alone in their key and need no summing, and the name of the others,
        which the table then has no more.

        Equal hashes of different keys only mean that a row is summed alone.
        """
        again = f"onebasket_key IN (SELECT onebasket_key FROM {SHARED}.{name}_again)"
        self.engine.share(f"{name}_several", self._sql(name, several, f"SELECT * FROM {SHARED}.{name} WHERE {again}"))
        self.engine.drop_rows(name, again)
        return self._sql(name, single, f"SELECT * FROM {SHARED}.{name}"), f"{name}_several"

    def _sql(self, name: str, expression: Any, rows: str) -> str:
        """The SQL of a function of one relation that has the columns of the table `name`, compiled once."""
        known = f"{name}:{expression.__name__}"
        if known not in self._compiled:
            relation = ibis.table(self.engine.ibis.table(name).schema(), name=f"{name}_rows")
            self._compiled[known] = str(self.engine.ibis.compile(expression(relation)))
        return f"WITH {name}_rows AS ({rows}) SELECT * FROM ({self._compiled[known]})"

    def _take_over(self, days: Collection[date]) -> None:
        """Link what did not change."""
        self.visits.take_over(days, max(self.counts))
        if self.former is None:
            return
        self.parts.link("purchase_history", days, self._former_rows("purchase_history"))
        for noted, former in ((self.ledger.ahead, self.former.ahead), (self.ledger.places, self.former.places)):
            for day, found in former.items():
                if date.fromisoformat(day) not in days:
                    noted[day] = found

    def _former_rows(self, table: str) -> dict[str, int]:
        return {} if self.former is None else self.former.rows.get(table, {})

    def _demand(self, days: list[date]) -> None:
        first, last = days[0], days[-1]
        wanted = set(days)
        ordered = wanted | {
            date.fromisoformat(day)
            for day, handed in self.ledger.ahead.items()
            if any(first <= date.fromisoformat(when) <= last for when in handed)
        }
        files = [
            self.folder / "purchase_history" / self.parts.form.file(start)
            for start, _ in self.parts.form.partitions(ordered)
        ]
        listed = ", ".join(file_literal(file) for file in files if file.is_file())
        if not listed:
            return
        given = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false) " \
                f"WHERE demand_day BETWEEN DATE '{first}' AND DATE '{last}'"  # fmt: skip
        self._view("chunk_stock", "stock", f"day BETWEEN DATE '{first}' AND DATE '{last}'")
        self._view("chunk_plans", "plans", f"starts_on <= DATE '{last}' AND ends_on >= DATE '{first}'")
        self._keyed("chunk_given", GIVEN_COLUMNS, given, "product_id, demand_location_id, demand_day")
        single, several = self._summed("chunk_given", summed_cells, single_cells)
        cells = f"SELECT * FROM ({single}) UNION ALL SELECT * FROM {several}"
        self.engine.run(f"CREATE OR REPLACE TEMP VIEW chunk_cells AS {cells}")
        self.engine.share("chunk_demand", self._sql("chunk_cells", self._with_tables, "SELECT * FROM chunk_cells"))
        self.parts.write("demand_history", f"{SHARED}.chunk_demand", days, Layout(DEMAND_ORDER), shared=True)

    def _with_tables(self, cells: Any) -> Any:
        tables = [self.engine.ibis.table(name) if self.ledger.rows.get(table) else None
                  for name, table in (("chunk_plans", "plans"), ("chunk_stock", "stock"))]  # fmt: skip
        return demand_history(cells, *tables)

    def _view(self, view: str, table: str, where: str) -> None:
        if self.ledger.rows.get(table):
            files = every_parquet(self.folder / table)
            self.engine.run(
                f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM read_parquet({files}, hive_partitioning = false) "
                f"WHERE {where}"
            )

    def days(self) -> tuple[date, date]:
        """The first and the last day with a purchase."""
        days = sorted(self.ledger.places)
        if not days:
            raise SourceError("no purchase can be used: every order line is cancelled: check how status is mapped")
        return date.fromisoformat(days[0]), date.fromisoformat(days[-1])

    def places(self) -> list[str]:
        """Every location of the history, sorted."""
        return sorted({place for places in self.ledger.places.values() for place in places})

    def receipts(self) -> Any | None:
        """Identity links of orders that two systems exported under one number."""
        if not self.ledger.rows.get("order_twins"):
            return None
        headers = self.engine.ibis.table(self.search.headers())
        return receipt_links(self.engine.ibis.table("order_twins"), headers)

    def seen(self) -> str:
        """SQL of the days of every account over the whole history, as features/visits.py gives them."""
        visits = self.visits.relation()
        if not self.ledger.rows.get("order_twins"):
            return visits
        return (  # who ordered in a system whose record is a twin has an account there all the same
            f"{visits} UNION ALL SELECT account_id, channel, day, NULL::DATE AS first_bought, NULL::DATE AS "
            f"last_bought FROM {self.search.headers()} AS header SEMI JOIN dropped_orders USING (order_id, day) "
            "WHERE account_id IS NOT NULL"
        )
