"""What speaks against customers being one person: the checks that evidence has to pass before it joins them."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import ibis

from features.components import Keeper
from features.evidence import EXCLUSIVE, STRENGTH, Evidence
from features.sources import Identity

PER_CHANNEL = 1  # customers with an account in a channel that a phone number, address or receipt may join


def faults(engine: Keeper, kind: str, members: Any, evidence: Evidence, identity: Identity, groups: Any) -> Any:
    """(met, reason) of the groups that must not become one customer.

    `groups` (met, customer) are customers that evidence of `kind` would join, through one value or a chain of them;
    `members` (number, customer) are their accounts. People's decisions are not judged.
    """
    if kind == "decision":
        return groups.filter(ibis.literal(False)).select("met", reason=ibis.literal(""))
    accounts = engine.keep("resolution_judged", groups.join(members, "customer").select("met", "customer", "number"))
    found = reduce(lambda left, right: left.union(right), _checks(accounts, kind, evidence, identity))
    return found.group_by("met").agg(reason=found.reason.min())


def _checks(accounts: Any, kind: str, evidence: Evidence, identity: Identity) -> Iterator[Any]:
    yield _too_many(accounts, identity.most_accounts)
    if STRENGTH[kind] == "weak":
        yield _not_one_guest(accounts, evidence)
        return
    yield from _different(accounts, kind, evidence)
    if STRENGTH[kind] == "medium":
        yield _same_channel(accounts, evidence)


def _found(groups: Any, reason: str) -> Any:
    return groups.select("met", reason=ibis.literal(reason))


def _too_many(accounts: Any, most: int) -> Any:
    tally = accounts.group_by("met").agg(accounts=accounts.count())
    return _found(tally.filter(tally.accounts > most), f"more than {most} accounts")


def _different(accounts: Any, kind: str, evidence: Evidence) -> Iterator[Any]:
    """Groups in which nobody carries all the values that one person has one of.

    One customer may carry two cards, the lost one and the new one, and be joined with either's other accounts.
    What is less sure than `kind` itself does not count against it.
    """
    order = list(STRENGTH)
    for exclusive in EXCLUSIVE:
        if order.index(exclusive) > order.index(kind):
            continue
        own = evidence.exclusive.filter(evidence.exclusive.kind == exclusive)
        carried = accounts.join(own, "number").select("met", "customer", "place", "value")
        each = carried.group_by("met", "place", "customer").agg(values=carried.value.nunique())
        most = each.group_by("met", "place").agg(most=each["values"].max())
        together = carried.group_by("met", "place").agg(values=carried.value.nunique())
        both = together.join(most, ["met", "place"])
        yield _found(both.filter(both["values"] > both.most), f"people with another {exclusive}")


def _same_channel(accounts: Any, evidence: Evidence) -> Any:
    """Groups with several customers of one channel: a channel knows a phone number or an address once."""
    placed = accounts.join(evidence.channels, "number").select("met", "customer", "channel")
    tally = placed.group_by("met", "channel").agg(customers=placed.customer.nunique())
    return _found(tally.filter(tally.customers > PER_CHANNEL), "several customers of one channel")


def _not_one_guest(accounts: Any, evidence: Evidence) -> Any:
    """Groups that are not guests with one customer, nor two guests: a shared tablet."""
    own = evidence.backed.mutate(backed=ibis.literal(1))
    marked = accounts.left_join(own, "number").select("met", "customer", backed=own.backed.fill_null(0))
    each = marked.group_by("met", "customer").agg(backed=marked.backed.max())
    tally = each.group_by("met").agg(backed=each.backed.sum(), customers=each.count())
    shared = (tally.backed > 1) | ((tally.backed == 0) & (tally.customers > 2))
    return _found(tally.filter(shared), "several customers of one device")
