"""Which accounts are one customer, as of a day: rounds of evidence, the surest first, and what each may not join."""

from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from typing import Any

import ibis

from features.components import Keeper
from features.evidence import STRENGTH, Evidence, evidence_of
from features.faults import faults
from features.identity_round import joined_by
from features.join_log import joins_of
from features.sources import Identity

SAMPLE_ACCOUNTS = 20
ROUNDS = tuple(STRENGTH)
REVIEW_COLUMNS = ("kind", "value_hash", "accounts", "customers", "reason", "sample")
LOG_COLUMNS = (
    "joined_on", "account_id", "via_account_id", "customer_id_before", "customer_id_after", "kind", "value_hash",
)  # fmt: skip


@dataclass(frozen=True)
class Resolution:
    """Who is who, as tables of the engine.

    accounts (account_id, customer_id): every account known on the day
    review   (kind, value_hash, accounts, customers, reason, sample): evidence that did not join all whom it touches,
             for people to look at: its accounts, the customers that it would have joined, at most 20 of the accounts
    log      (joined_on, account_id, via_account_id, customer_id_before, customer_id_after, kind, value_hash):
             the joins that made the customers, none to spare: joining the two accounts of each row gives `accounts`
    """

    accounts: Any
    review: Any
    log: Any


def resolve(
    engine: Keeper,
    accounts: Any,
    links: Any,
    decisions: Any | None,
    identity: Identity,
    as_of: date,
    *,
    rounds: tuple[str, ...] = ROUNDS,
    name: str = "resolution",
) -> Resolution:
    """Join accounts into customers with what was known on `as_of`.

    `accounts` (account_id, channel, first_day) may list an account once per channel; `links` (account_id, kind,
    value_hash, linked_on or null); `decisions` as features/decisions.py gives them. A customer's id is its earliest
    account, by first day and then by account_id. The result is a function of the set of rows. It lives in tables
    `name`_… of the engine, which a second resolution of the same name replaces.

    Each kind of evidence is a round, on the customers of the rounds before. A value joins all whom it touches or
    nobody: nobody where they must be several people (features/faults.py), nor where a chain of values would join such.
    """
    evidence = evidence_of(engine, accounts, links, decisions, identity, as_of, name)
    under_way = _Resolving(engine, evidence, identity, name)
    for kind in rounds:
        under_way.join_by(kind)
    return under_way.result()


class _Resolving:
    """A resolution between its rounds: which customer each account with joinable evidence belongs to so far."""

    def __init__(self, engine: Keeper, evidence: Evidence, identity: Identity, name: str) -> None:
        self.engine, self.evidence, self.identity, self.name = engine, evidence, identity, name
        numbers = evidence.joining.select("number").distinct()
        self.members = self._keep("members", numbers.select("number", customer="number"))
        self.kinds = set(evidence.joining.select("kind").distinct().to_pyarrow()["kind"].to_pylist())
        self.cut = [evidence.cut]
        self.joins: list[Any] = []

    def _keep(self, table: str, rows: Any) -> Any:
        return self.engine.keep(f"{self.name}_{table}", rows)

    def join_by(self, kind: str) -> None:
        """One round: the values of `kind` join the customers that they touch."""
        if kind not in self.kinds:
            return
        rows = self.evidence.joining.filter(self.evidence.joining.kind == kind)
        touched = self._keep(f"{kind}_touched", rows.join(self.members, "number").drop("kind"))
        judge = partial(faults, self.engine, kind, self.members, self.evidence, self.identity)
        attempts = joined_by(self.engine, touched, judge, f"{self.name}_{kind}", again=STRENGTH[kind] != "weak")
        if not attempts:
            return
        for number, attempt in enumerate(attempts):
            steps = joins_of(self.engine, attempt.joining, f"{self.name}_{kind}_{number}")
            self.joins += steps
        self._list(attempts[0].cut)
        moves = reduce(lambda left, right: left.union(right), [attempt.moves for attempt in attempts])
        members = self.members.left_join(moves, "customer")
        members = members.select("number", customer=members.component.coalesce(members.customer))
        self.members = self._keep(f"{kind}_members", members)

    def _list(self, rows: Any) -> None:
        """Put the values of `rows` (number, value, customer, reason) up for review."""
        sizes = {"accounts": rows.number.nunique(), "customers": rows.customer.nunique()}
        self.cut.append(rows.group_by("value", "reason").agg(**sizes))

    def result(self) -> Resolution:
        return Resolution(
            self._keep("accounts", self._accounts()),
            self._keep("review", self._review()),
            self._keep("log", self._log()),
        )

    def _accounts(self) -> Any:
        """Every account; those without joinable evidence are customers of their own."""
        nodes = self.evidence.nodes
        placed = nodes.left_join(self.members, "number")
        placed = self._keep("placed", placed.select("account_id", first=placed.customer.coalesce(placed.number)))
        names = nodes.select(first="number", customer_id="account_id")
        return placed.join(names, "first").select("account_id", "customer_id")

    def _review(self) -> Any:
        columns = ["value", "accounts", "customers", "reason"]
        cut = reduce(lambda left, right: left.union(right), [rows.select(columns) for rows in self.cut])
        cut = self._keep("cut", cut)
        links = self.evidence.links.semi_join(cut, "value").join(self.evidence.nodes, "number")
        links = links.select("value", "account_id")
        ranked = links.mutate(place=ibis.row_number().over(group_by=links.value, order_by=links.account_id))
        few = ranked.filter(ranked.place < SAMPLE_ACCOUNTS)
        samples = few.group_by("value").agg(sample=few.account_id.collect().sort())
        values = self.evidence.values.drop("accounts")
        return cut.join(samples, "value").join(values, "value").select(REVIEW_COLUMNS)

    def _log(self) -> Any:
        nodes = self.evidence.nodes
        if not self.joins:
            return nodes.filter(ibis.literal(False)).select(
                "account_id", joined_on="first_day", **dict.fromkeys(LOG_COLUMNS[2:], nodes.account_id)
            ).select(LOG_COLUMNS)  # fmt: skip
        rows = reduce(lambda left, right: left.union(right), self.joins)
        for number, column in (("number", "account_id"), ("via", "via_account_id"),
                               ("before", "customer_id_before"), ("after", "customer_id_after")):  # fmt: skip
            names = nodes.select(**{number: "number", column: "account_id"})
            rows = rows.join(names, number).drop(number)
        return rows.join(self.evidence.values.drop("accounts"), "value").select(LOG_COLUMNS)
