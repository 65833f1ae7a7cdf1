"""A whole retailer unified on Spark: from the landed files of an ingest to its history, demand, returns and accounts.

Reading and judging the exports, and deciding which version of a line counts, is DuckDB's, file by file; what grows
with the number of lines and people runs here, with the same expressions and the same result.
"""

from functools import reduce
from pathlib import Path
from typing import Any

import ibis

from features.bundles import exploded
from features.channels.export import ROW
from features.components import is_empty
from features.decisions import decisions_table, read_decisions
from features.errors import NotIngested
from features.identity import account_id, accounts_of, consents_of, links_of
from features.judging import ORIGINAL, REASON
from features.landed import alike
from features.ledger import Ledger
from features.lines import COLUMNS
from features.orders import demand_place, is_gift, order_headers, without_twins
from features.people import anonymous, customers_of_accounts, erased_accounts, without
from features.resolution import resolve
from features.returns import is_return, matched_returns
from features.sources import Intake
from features.spark import SparkEngine
from features.tables import IBIS_TYPES, ORDER_LINES
from features.twin_decisions import receipt_links, twins
from features.twins import shared_evidence, twin_candidates
from features.unify import demand_history, purchase_history, summed_cells
from features.who import ALWAYS
from features.workspace import Snapshot, Workspace

FILE = "onebasket_file"
LOSERS = "ledger/losers.parquet"
LINKS = {"account_id": "string", "kind": "string", "value_hash": "string", "linked_on": "date"}


def unify_on_spark(engine: SparkEngine, workspace: Workspace, folder: Path | str) -> list[str]:
    """Write the tables of the workspace's current snapshot anew into `folder`, computed on Spark; returns their names.

    purchase_history, demand_history, returns, accounts and customers, and order_twins where several sources have
    order lines. Every node of the cluster must see the workspace, `folder` and the engine's scratch folder.
    """
    snapshot = workspace.snapshot()
    ledger = Ledger.open(snapshot)
    if ledger is None:
        raise NotIngested(f"{snapshot.folder} does not say which files it was made of: run onebasket ingest again")
    settings = {name: value for name, value in snapshot.facts["recipe"].items() if name in Intake.model_fields}
    intake = Intake.model_validate(settings)
    return _Chain(engine, workspace, snapshot, ledger, intake, str(folder)).run()


class _Chain:
    """One run."""

    def __init__(
        self, engine: SparkEngine, workspace: Workspace, snapshot: Snapshot, ledger: Ledger, intake: Intake, folder: str
    ) -> None:
        self.engine, self.workspace, self.snapshot, self.ledger = engine, workspace, snapshot, ledger
        self.intake, self.folder = intake, folder
        self.sources = list(intake.of_table("order_lines"))
        self.written: list[str] = []

    def run(self) -> list[str]:
        every_link, consents, decisions = self._links(), self._consents(), self._decisions()
        lines, links = self._lines(), every_link
        erased = self._erased(links, consents, decisions)
        if erased is not None:
            lines, links = anonymous(lines, erased), None if links is None else without(links, erased)
        lines = self.engine.keep("every_line", lines)
        live, receipts, dropped, elsewhere = lines.filter(lines.status == "completed"), None, None, None
        if len(self.sources) > 1:
            headers = self.engine.keep("headers", order_headers(lines))
            dropped = self._twins(headers, every_link)
            gone = dropped.filter(dropped.kept_order_id.notnull())
            live = without_twins(live, gone)
            receipts = receipt_links(dropped, headers)
            elsewhere = headers.semi_join(gone, ["order_id", "day"]).filter(headers.account_id.notnull())
        bundles = self._table("bundles")
        live = self.engine.keep("live_lines", live if bundles is None else exploded(live, bundles))
        history = self._written("purchase_history", purchase_history(live))
        self._written(
            "demand_history", demand_history(summed_cells(history), self._table("plans"), self._table("stock"))
        )
        if not is_empty(live.filter(is_return(live))):
            back = is_return(live)
            found = matched_returns(self.engine, live.filter(back), live.filter(~back), self.intake.orders, dropped)
            self._written("returns", found)
        self._people(history, elsewhere, links, receipts, consents, decisions)
        return self.written

    def _written(self, name: str, rows: Any) -> Any:
        """Write a table and go on from what was written."""
        self.engine.write(rows, f"{self.folder}/{name}")
        self.written.append(name)
        return self.engine.read(name, f"{self.folder}/{name}")

    def _table(self, name: str) -> Any | None:
        """A table of the snapshot; None where the recipe gives none."""
        if not self.ledger.rows.get(name):
            return None
        files = sorted((self.snapshot.folder / name).rglob("*.parquet"))
        return self.engine.read(f"given_{name}", *files)

    def _links(self) -> Any | None:
        links = self._table("identity_links")
        return None if links is None else links_of(links, self.intake.identity, self.intake.retailer.time_zone)

    def _consents(self) -> Any | None:
        consents = self._table("consents")
        return None if consents is None else consents_of(consents, self.intake.identity, self.intake.retailer.time_zone)

    def _decisions(self) -> Any | None:
        made = decisions_table(read_decisions(self.workspace))
        return self.engine.give("decisions", made) if len(made) else None

    def _erased(self, links: Any | None, consents: Any | None, decisions: Any | None) -> Any | None:
        if consents is None or is_empty(consents.filter(consents.wish == "erase")):
            return None
        known = [rows.select("account_id", "channel", first_day=ibis.literal(ALWAYS)) for rows in (links, consents)
                 if rows is not None]  # fmt: skip
        accounts = self.engine.keep("linked_accounts", _together(known).distinct())
        evidence = self._evidence(links)
        return erased_accounts(self.engine, accounts, evidence, decisions, consents, self.intake.identity)

    def _evidence(self, links: Any | None) -> Any:
        """Links without their channel, of which there may be none."""
        return self.engine.none_of("no_links", LINKS) if links is None else links.drop("channel")

    def _lines(self) -> Any:
        """The lines of every source that count, as features/lines.py gives them to DuckDB."""
        every = _together([self._of(source) for source in self.sources if self.ledger.of(source)])
        every = demand_place(every, self.intake.retailer.time_zone)
        account = account_id(every, self.intake.identity)
        return every.mutate(account_id=account, asker=account.hexdigest("md5"), gift=is_gift(every))

    def _of(self, source: str) -> Any:
        landed = self.ledger.of(source)
        read = []
        for place, (numbered, _, of_one) in enumerate(alike(landed)):
            files = [str(one.parquet(self.workspace)) for one in of_one]
            part = self.engine.read_placed(f"{source}_{place}", files, FILE, ROW, has_row=numbered).drop(ORIGINAL)
            read.append(part.mutate(**{name: _filled(name) for name in of_one[0].unmapped}))
        rows = _together(read)
        losing = self.engine.read("losers", self.snapshot.folder / LOSERS)
        losing = losing.filter(losing.source == source).select(**{FILE: "file", ROW: "row"})
        rows = rows.filter(rows[REASON].isnull()).anti_join(losing, [FILE, ROW])
        own = rows[FILE] + "#" + rows[ROW].cast("string")
        number = ibis.literal(source + ":") + rows.order_id if len(self.sources) > 1 else rows.order_id
        return rows.select(
            *(name for name in COLUMNS if name not in {"order_id", "source_line_id"}), "day",
            source=ibis.literal(source), source_line_id=rows.source_line_id.coalesce(own),
            order_number=rows.order_id, order_id=number,
        )  # fmt: skip

    def _twins(self, headers: Any, links: Any | None) -> Any:
        """Accounts are told by a hash, those of erased people too: their orders stay found twice."""
        evidence = None
        if links is not None:
            told = links.filter(links.kind != "device")
            told = told.select("value_hash", "linked_on", account_id=told.account_id.hexdigest("md5")).distinct()
            evidence = self.engine.keep("shared", shared_evidence(told, self.intake.identity))
        asking = headers.mutate(customer_id=headers.asker)
        pairs = self.engine.keep("pairs", twin_candidates(asking, self.intake.orders, evidence))
        return self._written("order_twins", twins(self.engine, pairs))

    def _people(
        self, history: Any, elsewhere: Any | None, links: Any | None, receipts: Any | None, consents: Any | None,
        decisions: Any | None,
    ) -> None:  # fmt: skip
        bought = history.filter(history.account_id.notnull())
        named = ["account_id", "channel", "day"]
        seen = bought.select(named) if elsewhere is None else bought.select(named).union(elsewhere.select(named))
        accounts = self.engine.keep("who_accounts", accounts_of(seen, links, ALWAYS))
        sold = bought.net_units > 0
        days = bought.group_by("account_id").agg(
            first_purchase_on=bought.day.min(where=sold), last_purchase_on=bought.day.max(where=sold)
        )
        evidence = self._evidence(links)
        if receipts is not None:
            evidence = evidence.select(*LINKS).union(receipts.select(*LINKS))
        evidence = self.engine.keep("who_links", evidence.distinct())
        whose = resolve(
            self.engine, accounts, evidence, decisions, self.intake.identity, self.snapshot.last_day
        ).accounts
        named = accounts.join(whose, "account_id").select("account_id", "channel", "customer_id", "first_day")
        self._written("accounts", named)
        people = customers_of_accounts(whose, accounts, days, consents, self.intake.identity, self.snapshot.last_day)
        self._written("customers", people)


def _filled(name: str) -> Any:
    """What stands in a column that a recipe says nothing of."""
    column = ORDER_LINES.column(name)
    kind = IBIS_TYPES[column.kind]
    return ibis.null(kind) if column.default is None else ibis.literal(column.default.strip("'")).cast(kind)


def _together(tables: list[Any]) -> Any:
    """The rows of tables with the same columns."""
    return reduce(lambda left, right: left.union(right.select(left.columns)), tables)
