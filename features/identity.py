"""Who bought: the accounts that exports name, and what is known of them, on local days."""

from datetime import date
from typing import Any

import ibis

from features.casts import local_day
from features.dialects import asked
from features.sources import Identity


def account_id(rows: Any, identity: Identity) -> Any:
    """The Ibis expression of a row's account, from channel and channel_customer_id; null for an anonymous basket."""
    account = rows.channel_customer_id
    return account if identity.account_numbers == "shared" else rows.channel + ":" + account


def account_sql(identity: Identity) -> str:
    """The same as SQL."""
    return "channel_customer_id" if identity.account_numbers == "shared" else "channel || ':' || channel_customer_id"


def links_of(identity_links: Any, identity: Identity, time_zone: str) -> Any:
    """(account_id, channel, kind, value_hash, linked_on) of the table identity_links, whose value is hashed already."""
    rows = _on_days(identity_links, "linked_at", "linked_on", time_zone)
    return rows.select("channel", "kind", "linked_on", account_id=account_id(rows, identity), value_hash="value")


def consents_of(consents: Any, identity: Identity, time_zone: str) -> Any:
    """(account_id, channel, wish, wished_at, wished_on) of the table consents."""
    rows = _on_days(consents, "wished_at", "wished_on", time_zone)
    return rows.select("channel", "wish", "wished_at", "wished_on", account_id=account_id(rows, identity))


def _on_days(rows: Any, instant: str, day: str, time_zone: str) -> Any:
    view = f"rows_with_{day}"
    return asked(rows, view, f"SELECT *, {local_day(instant, time_zone)} AS {day} FROM {view}")


def accounts_of(lines: Any, links: Any | None, always: date) -> Any:
    """(account_id, channel, first_day) of every account that `lines` (account_id, channel, day) or `links` name.

    An account without a purchase can be what joins two that have some. Links without a date count since `always`.
    """
    days = lines.filter(lines.account_id.notnull()).select("account_id", "channel", "day")
    if links is not None:
        named = links.select("account_id", "channel", day=links.linked_on.fill_null(ibis.literal(always)))
        days = days.union(named)
    return days.group_by("account_id", "channel").agg(first_day=days.day.min())
