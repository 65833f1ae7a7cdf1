"""Whose the accounts of a snapshot are: identity links, people's decisions, wishes and erasures, put together."""

from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from features.alike import likeness_by, reported, with_likeness
from features.decisions import decisions_table, read_decisions
from features.described import named
from features.engine import Engine, engine_in
from features.expressions import file_literal, literal
from features.identity import account_sql, accounts_of
from features.ledger import FOLDER
from features.people import customers_of_accounts, erased_accounts
from features.resolution import resolve
from features.sources import Identity, Intake
from features.workspace import Snapshot, Workspace
from features.writing import write_table
from features.zones import USUAL_DAYS, to_local

LINKS, DECISIONS = f"{FOLDER}/links.parquet", f"{FOLDER}/decisions.parquet"
TWIN_LINKS = f"{FOLDER}/twin_links.parquet"
ALWAYS = date(1900, 1, 1)
NO_LINKS = "SELECT NULL::VARCHAR AS account_id, NULL::VARCHAR AS channel, NULL::VARCHAR AS kind, " \
           "NULL::VARCHAR AS value_hash, NULL::DATE AS linked_on WHERE false"  # fmt: skip


class Who:
    """Resolves the customers of a snapshot under way."""

    def __init__(self, engine: Engine, intake: Intake, workspace: Workspace) -> None:
        self.engine, self.intake = engine, intake
        self.decisions = decisions_table(read_decisions(workspace))
        self.has_links = self.has_consents = False

    def learn(self, links: bool, consents: bool) -> None:
        """Make the relations given_links, wishes and erased_accounts of the tables that the recipe gives."""
        self.has_links, self.has_consents = links, consents
        local = to_local("linked_at", self.intake.retailer.time_zone, USUAL_DAYS)
        account = account_sql(self.intake.identity)
        given = (
            f"SELECT {account} AS account_id, channel, kind, value AS value_hash, CAST({local} AS DATE) AS linked_on "
            f"FROM {named('identity_links')}"
        )
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE every_link AS {given if links else NO_LINKS}")
        wished = to_local("wished_at", self.intake.retailer.time_zone, USUAL_DAYS)
        wishes = (
            f"SELECT {account} AS account_id, channel, wish, wished_at, CAST({wished} AS DATE) AS wished_on "
            f"FROM {named('consents')}"
        )
        none = "SELECT ''::VARCHAR AS account_id, '' AS channel, '' AS wish, now()::TIMESTAMP AS wished_at, " \
               "NULL::DATE AS wished_on WHERE false"  # fmt: skip
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE wishes AS {wishes if consents else none}")
        self._erase()
        self.engine.run(
            "CREATE OR REPLACE TEMP TABLE given_links AS SELECT * FROM every_link "
            "WHERE account_id NOT IN (SELECT account_id FROM erased_accounts)"
        )

    def _decisions(self) -> Any | None:
        if not len(self.decisions):
            return None
        self.engine.ibis.create_table("decisions", self.decisions, overwrite=True, temp=True)
        return self.engine.ibis.table("decisions")

    def _erase(self) -> None:
        table = self.engine.ibis.table
        if not self.engine.rows("SELECT 1 FROM wishes WHERE wish = 'erase' LIMIT 1"):
            self.engine.run("CREATE OR REPLACE TEMP TABLE erased_accounts (account_id VARCHAR)")
            return
        self.engine.run(
            "CREATE OR REPLACE TEMP TABLE linked_accounts AS SELECT account_id, channel, DATE '1900-01-01' "
            "AS first_day "
            "FROM every_link UNION SELECT account_id, channel, DATE '1900-01-01' FROM wishes"
        )
        erased_accounts(self.engine, table("linked_accounts"), table("every_link").drop("channel"), self._decisions(),
                        table("wishes"), self.intake.identity)  # fmt: skip

    def linked_before(self, before: Path | None, folder: Path) -> None:
        """Make the relations twin_links, by hashed accounts, and moved_links: all links of values of which one moved.

        A link moved that came, went or has another day than in the snapshot before; its value's links are given as
        they are and as they were.
        """
        now = "SELECT md5(account_id) AS account_id, value_hash, linked_on FROM every_link WHERE kind <> 'device'"
        self.engine.run(f"CREATE OR REPLACE TEMP TABLE twin_links AS SELECT DISTINCT * FROM ({now})")
        self.engine.run(f"COPY (FROM twin_links ORDER BY ALL) TO {literal(str(folder / TWIN_LINKS))} (FORMAT parquet)")
        file = before / TWIN_LINKS if before is not None else None
        old = "FROM twin_links WHERE false"
        if file is not None and file.is_file():
            old = f"SELECT account_id, value_hash, linked_on FROM read_parquet({file_literal(file)})"
        moved = f"(({old}) EXCEPT FROM twin_links) UNION ALL (FROM twin_links EXCEPT ({old}))"
        self.engine.run(
            f"CREATE OR REPLACE TEMP TABLE moved_links AS SELECT * FROM (({old}) UNION FROM twin_links) "
            f"WHERE value_hash IN (SELECT value_hash FROM ({moved}))"
        )

    def write(self, folder: Path, visits: str, receipts: Any | None, last_day: date) -> dict[str, int]:
        """Write accounts, customers and what explains them; returns their rows by table.

        `visits` is SQL of the days of every account, as features/visits.py gives them; `receipts` are links of orders
        that two systems exported (account_id, kind, value_hash, linked_on).
        """
        self._gather(visits, receipts)
        links = "SELECT account_id, kind, value_hash, linked_on FROM who_links ORDER BY ALL"
        self.engine.run(f"COPY ({links}) TO {literal(str(folder / LINKS))} (FORMAT parquet, COMPRESSION zstd)")
        decided = (
            "COPY (SELECT * FROM decisions WHERE account_id NOT IN (SELECT account_id FROM erased_accounts) "
            f"ORDER BY ALL) TO {literal(str(folder / DECISIONS))} (FORMAT parquet)"
        )
        if self._decisions() is not None:
            self.engine.run(decided)
        table, alike = self.engine.ibis.table, self.intake.identity.probabilistic
        if not self.engine.rows("SELECT 1 FROM who_links LIMIT 1") and not len(self.decisions) and not alike:
            whose = table("who_accounts").select("account_id", customer_id="account_id").distinct()
        else:
            likeness = likeness_by(self.engine, self.intake, self._decisions(), last_day) if alike else None
            given = with_likeness(self.engine, likeness) if likeness is not None else "who_links"
            found = resolve(self.engine, table("who_accounts"), table(given), self._decisions(),
                            self.intake.identity, last_day)  # fmt: skip
            review = reported(self.engine, found.review, likeness) if likeness is not None else found.review
            self._write(folder, "identity_review", review, ["kind", "value_hash"])
            self._write(folder, "identity_log", found.log, ["joined_on", "account_id", "customer_id_before"])
            whose = found.accounts
        return self._write_people(folder, whose, last_day)

    def _gather(self, visits: str, receipts: Any | None) -> None:
        more = ""
        if receipts is not None:
            self.engine.keep("receipts", receipts)
            more = " UNION SELECT account_id, kind, value_hash, linked_on FROM receipts"
        self.engine.run(
            f"CREATE OR REPLACE TEMP TABLE who_links AS SELECT account_id, kind, value_hash, linked_on FROM "
            f"given_links{more}"
        )
        # the one pass over them
        self.engine.run(
            "CREATE OR REPLACE TEMP TABLE every_visit AS SELECT account_id, channel, min(day) AS day, min(first_bought)"
            f" AS first_bought, max(last_bought) AS last_bought FROM ({visits}) GROUP BY ALL"
        )
        self.engine.run(
            "CREATE OR REPLACE TEMP TABLE account_days AS SELECT account_id, min(first_bought) AS first_purchase_on, "
            "max(last_bought) AS last_purchase_on FROM every_visit GROUP BY account_id"
        )
        accounts = accounts_of(self.engine.ibis.table("every_visit"), self.engine.ibis.table("given_links"), ALWAYS)
        self.engine.keep("who_accounts", accounts)

    def _write_people(self, folder: Path, whose: Any, last_day: date) -> dict[str, int]:
        table = self.engine.ibis.table
        whose = self.engine.keep("whose", whose)
        named = table("who_accounts").join(whose, "account_id")
        named = named.select("account_id", "channel", "customer_id", "first_day")
        rows = {"accounts": self._write(folder, "accounts", named, ["account_id", "channel"])}
        consents = table("wishes") if self.has_consents else None
        people = customers_of_accounts(whose, table("who_accounts"), table("account_days"), consents,
                                       self.intake.identity, last_day)  # fmt: skip
        rows["customers"] = self._write(folder, "customers", people, ["customer_id"])
        return rows

    def _write(self, folder: Path, name: str, rows: Any, order: list[str]) -> int:
        return write_table(self.engine, rows, folder / name, order)


def accounts_as_of(snapshot: Snapshot, as_of: date) -> pa.Table:
    """Whose each account is by what was known at the end of `as_of`: account_id, customer_id.

    Links and decisions that came later join nobody, and evidence that came to be shared later still joins.
    """
    links = snapshot.folder / LINKS
    evidence = (snapshot.folder / DECISIONS).is_file() or (links.is_file() and _has_rows(links))
    if as_of >= snapshot.last_day or not evidence:
        return snapshot.read("accounts", columns=["account_id", "customer_id"]).group_by(
            ["account_id", "customer_id"]
        ).aggregate([])  # fmt: skip
    identity = Identity.model_validate(snapshot.facts["recipe"]["identity"])
    with engine_in(Path(mkdtemp(prefix="onebasket-"))) as engine:
        accounts = str(snapshot.folder / "accounts" / "part.parquet")
        engine.run(f"CREATE TEMP VIEW accounts AS SELECT * FROM read_parquet({file_literal(accounts)})")
        engine.run(f"CREATE TEMP VIEW links AS SELECT * FROM read_parquet({file_literal(links)})")
        decided = None
        if (snapshot.folder / DECISIONS).is_file():
            engine.run(
                f"CREATE TEMP VIEW decided AS SELECT * FROM read_parquet({file_literal(snapshot.folder / DECISIONS)})"
            )
            decided = engine.ibis.table("decided")
        found = resolve(engine, engine.ibis.table("accounts").drop("customer_id"), engine.ibis.table("links"), decided,
                        identity, as_of)  # fmt: skip
        table: pa.Table = found.accounts.order_by(ibis.asc("account_id")).to_pyarrow()
        return table


def _has_rows(file: Path) -> bool:
    return bool(pq.read_metadata(file).num_rows)
