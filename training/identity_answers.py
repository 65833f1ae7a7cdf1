"""What a snapshot knows of who is who: one customer with the joins behind it, the list for review, the log."""

from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.errors import RecipeError, TableError
from features.keyed_hash import has_key, hashed_value
from features.likeness import REPORTED
from features.workspace import Snapshot

Rows = list[dict[str, Any]]


def check_resolved(snapshot: Snapshot) -> None:
    """TableError if the snapshot was written without accounts."""
    if not snapshot.holds("accounts"):
        raise TableError(f"{snapshot.folder} names no accounts: run onebasket ingest again")


def customer_of(snapshot: Snapshot, who: str) -> str:
    """The customer that an account or a customer number belongs to; RecipeError if nobody has it."""
    return str(_account(snapshot, who)["customer_id"])


def stored_name(snapshot: Snapshot, who: str) -> str:
    """An account or a customer number as the workspace knows it: hashed where it is personal."""
    found = _account(snapshot, who)
    return who if who in (found["account_id"], found["customer_id"]) else str(found["account_id"])


def _account(snapshot: Snapshot, who: str) -> dict[str, Any]:
    check_resolved(snapshot)
    names = [who, *_hashed(snapshot, who)]
    found = _rows(snapshot, "accounts", pads.field("account_id").isin(names) | pads.field("customer_id").isin(names))
    if not found:
        raise RecipeError(
            f"no account and no customer {who!r} in the history up to {snapshot.last_day}: write it as in the table "
            "accounts, such as app:1234 where account numbers are per channel"
        )
    return found[0]


def card_of(snapshot: Snapshot, who: str) -> dict[str, Any]:
    """A customer: its accounts, its days, what joined the accounts and what was held back."""
    customer = customer_of(snapshot, who)
    accounts = _rows(snapshot, "accounts", pads.field("customer_id") == customer)
    names = sorted({row["account_id"] for row in accounts})
    own = _rows(snapshot, "customers", pads.field("customer_id") == customer)
    joins = _rows(snapshot, "identity_log", pads.field("account_id").isin(names))
    return {
        "customer_id": customer,
        **({name: own[0][name] for name in ("first_purchase_on", "last_purchase_on", "opted_out")} if own else {}),
        "accounts": sorted(accounts, key=lambda row: (row["first_day"], row["account_id"], row["channel"])),
        "joins": sorted(joins, key=lambda row: (row["joined_on"], row["account_id"])),
        "held_back": [row for row in review_of(snapshot) if set(names) & set(row["sample"])],
    }


def _hashed(snapshot: Snapshot, who: str) -> list[str]:
    """What an account is stored as where it is a telephone number or an e-mail address."""
    if not has_key():
        return []
    channel, colon, number = who.rpartition(":")
    country = snapshot.facts.get("retailer", {}).get("country")
    hashes = (hashed_value(number, kind, country) for kind in ("phone", "email"))
    return [f"{channel}{colon}{value}" for value in hashes if value is not None]


def review_of(snapshot: Snapshot) -> Rows:
    """What people should look at, the values that would join most customers first, what is only alike last.

    How precise likeness was stands above all.
    """
    check_resolved(snapshot)
    return sorted(_rows(snapshot, "identity_review"), key=_urgency)


def _urgency(row: dict[str, Any]) -> tuple[Any, ...]:
    alike = row["kind"] == "likeness"
    return (row["value_hash"] != REPORTED, alike, -row["customers"], row["kind"], row["value_hash"], row["reason"])


def log_of(snapshot: Snapshot, who: str | None = None) -> Rows:
    """The joins, the latest first: all of them, or those of one customer."""
    check_resolved(snapshot)
    where = None
    if who is not None:
        mine = _rows(snapshot, "accounts", pads.field("customer_id") == customer_of(snapshot, who))
        where = pads.field("account_id").isin([row["account_id"] for row in mine])
    rows = _rows(snapshot, "identity_log", where)
    return sorted(rows, key=lambda row: (row["joined_on"], row["account_id"], row["kind"]), reverse=True)


def _rows(snapshot: Snapshot, table: str, where: pc.Expression | None = None) -> Rows:
    rows: Rows = snapshot.read(table, where).to_pylist() if snapshot.holds(table) else []
    return rows
