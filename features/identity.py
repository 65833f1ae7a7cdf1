"""Who bought: one customer_id across channel accounts."""

from typing import Any

import ibis

from features.sources import Identity


def customer_id(lines: Any, identity: Identity) -> Any:
    """The Ibis expression of an order line's customer; null for an anonymous basket."""
    account = lines.channel_customer_id
    return account if identity.account_numbers == "shared" else lines.channel + ":" + account


def customers_from(lines: Any, identity: Identity) -> Any:
    """The `customers` table as an Ibis expression over order lines with their local `day`."""
    known = lines.filter(lines.channel_customer_id.notnull())
    known = known.mutate(
        customer_id=customer_id(known, identity), account=known.channel + ":" + known.channel_customer_id
    )
    accounts = known.group_by("customer_id", "account").agg(
        first=known.day.min(where=known.quantity > 0), last=known.day.max(where=known.quantity > 0)
    )
    people = accounts.group_by("customer_id").agg(
        accounts=accounts.account.collect().sort(),
        first_purchase_on=accounts["first"].min(),
        last_purchase_on=accounts["last"].max(),
    )
    return people.mutate(opted_out=ibis.literal(False))
