"""The customers of a resolution, with what they wish to be done with their data."""

from datetime import date
from typing import Any

import ibis

from features.components import Keeper
from features.evidence import STRENGTH
from features.resolution import resolve
from features.sources import Identity

STRONG = tuple(kind for kind, strength in STRENGTH.items() if strength == "strong")


def customers_of_accounts(
    resolved: Any, accounts: Any, account_days: Any, consents: Any | None, identity: Identity, as_of: date
) -> Any:
    """The `customers` table as an Ibis expression.

    `resolved` (account_id, customer_id) and `accounts` (account_id, channel, …: each once) are of a resolution as of
    `as_of`;
    `account_days` (account_id, first_purchase_on, last_purchase_on) of the purchases up to that day; `consents`
    (account_id, wish, wished_at, wished_on). A customer's accounts are listed as channel:account, sorted.
    """
    days = account_days.select("account_id", "first_purchase_on", "last_purchase_on")
    named = accounts.join(resolved, "account_id").left_join(days, "account_id").drop("account_id_right")
    shared = identity.account_numbers == "shared"
    named = named.mutate(account=named.channel + ":" + named.account_id if shared else named.account_id)
    people = named.group_by("customer_id").agg(
        accounts=named.account.collect().sort(),
        first_purchase_on=named.first_purchase_on.min(), last_purchase_on=named.last_purchase_on.max(),
    )  # fmt: skip
    if consents is None:
        return people.mutate(opted_out=ibis.literal(False))
    refused = refusals(consents, resolved, as_of)
    people = people.left_join(refused, "customer_id")
    return people.select(
        "customer_id", "accounts", "first_purchase_on", "last_purchase_on", opted_out=people.refused.fill_null(False)
    )


def refusals(consents: Any, resolved: Any, as_of: date) -> Any:
    """(customer_id, refused): the latest wish of any account; of an opt_in and an opt_out at once, the opt_out."""
    said = consents.filter((consents.wished_on <= ibis.literal(as_of)) & consents.wish.isin(["opt_out", "opt_in"]))
    said = said.join(resolved, "account_id").select("customer_id", "wish", "wished_at")
    latest = said.group_by("customer_id").agg(
        out=said.wished_at.max(where=said.wish == "opt_out"), back=said.wished_at.max(where=said.wish == "opt_in")
    )
    refused = latest.out.notnull() & (latest.back.isnull() | (latest.back <= latest.out))
    return latest.select("customer_id", refused=refused)


def erased_accounts(
    engine: Keeper, accounts: Any, links: Any, decisions: Any | None, consents: Any, identity: Identity
) -> Any:
    """(account_id) of everyone who wished to be erased, whatever the day: it is final, and holds for the past too.

    The wish on one account is the person's: it takes the accounts along that strong evidence (WeChat, a member card,
    a person's decision) joins to it. What only a phone number, an address or a device joins may be another member of
    the family, and what is erased does not come back: those accounts are erased by a wish of their own.

    `accounts`, `links` and `decisions` are given as to `resolve`, from before any erasure. Ingest drops the account
    from order lines (they stay as anonymous demand) and drops its rows from every table that names accounts.
    """
    asked = consents.filter(consents.wish == "erase").select("account_id").distinct()
    asked = engine.keep("erasure_asked", asked)
    people = resolve(engine, accounts, links, decisions, identity, date.max, rounds=STRONG, name="erasure").accounts
    theirs = people.semi_join(people.semi_join(asked, "account_id"), "customer_id").select("account_id")
    return engine.keep("erased_accounts", theirs.union(asked, distinct=True))


def without(rows: Any, erased: Any) -> Any:
    """The rows of a table with `account_id` that are of nobody erased."""
    return rows.anti_join(erased, "account_id")


def anonymous(lines: Any, erased: Any) -> Any:
    """Lines with `account_id` made null where the account is erased: demand that is nobody's."""
    gone = erased.select("account_id", erased=ibis.literal(True))
    marked = lines.left_join(gone, "account_id")
    kept = [marked[name] for name in lines.columns if name != "account_id"]
    found = marked.select(*kept, account_id=ibis.cases((marked.erased.fill_null(False), None), else_=marked.account_id))
    return found.select(lines.columns)
