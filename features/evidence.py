"""What speaks for two accounts being one person's, as of a day: its kinds, their strength, and what is too common."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import ibis

from features.components import Keeper
from features.sources import Identity

Strength = Literal["strong", "medium", "weak"]

# The rounds of the resolution, the surest first. A person decides above all; WeChat vouches for unionid and openid;
# a card is handed over the counter; phone, address and receipt are shared in families; a device is anybody's. Likeness
# is no more than a probability: it comes last, so that it takes away none of the joins of what is known.
STRENGTH: dict[str, Strength] = {
    "decision": "strong", "unionid": "strong", "openid": "strong", "member_card": "strong",
    "phone": "medium", "email": "medium", "receipt": "medium",
    "device": "weak",
    "likeness": "medium",
}  # fmt: skip
# One person has one of these (an openid per channel): two that are brought together are two people.
EXCLUSIVE = ("unionid", "openid", "member_card")
# An account with more values of a kind than a person collects over the years is a till's, a clerk's or a tester's.
MOST_VALUES = 3
COLLECTED = ("unionid", "openid", "member_card", "phone", "email")


@dataclass(frozen=True)
class Evidence:
    """The evidence of a day, on numbered accounts and numbered values: whole numbers are joined many times below.

    nodes     (number, account_id): numbered by first day, then account, so that the least number is the earliest
    values    (value, kind, value_hash, accounts): numbered by kind and hash
    channels  (number, channel)
    links     (number, kind, value, since): each once, since the day from which both link and account are known
    joining   the rows of `links` whose value several accounts have, and not too many
    exclusive (number, kind, place, value): what only one person has; place is the channel of an openid
    backed    (number): accounts with any evidence beside a device and likeness; the others are guests
    cut       (value, accounts, customers, reason): values that are not even tried
    """

    nodes: Any
    values: Any
    channels: Any
    links: Any
    joining: Any
    exclusive: Any
    backed: Any
    cut: Any


def evidence_of(
    engine: Keeper, accounts: Any, links: Any, decisions: Any | None, identity: Identity, as_of: date, name: str
) -> Evidence:
    """Number the accounts known on `as_of` and gather what was known of them; see `resolve` for the tables given."""
    day = ibis.literal(as_of)
    known = accounts.filter(accounts.first_day <= day)
    nodes = engine.keep(f"{name}_nodes", _nodes(known))
    channels = known.join(nodes, "account_id").select("number", "channel").distinct()
    channels = engine.keep(f"{name}_channels", channels)
    given = engine.keep(f"{name}_given", _dated(_with_decisions(links, decisions, day), nodes))
    values = engine.keep(f"{name}_values", _values(given))
    every = given.join(values, ["kind", "value_hash"]).select("number", "kind", "value", "since")
    every = engine.keep(f"{name}_links", every)
    crowded = engine.keep(f"{name}_crowded", _crowded(every))
    rest = every.anti_join(crowded, ["number", "kind"])
    sizes = rest.group_by("kind", "value").agg(accounts=rest.count())
    sizes = engine.keep(f"{name}_sizes", sizes.filter(sizes.accounts > 1))
    too_many = sizes.filter((sizes.accounts > identity.most_accounts) & (sizes.kind != "decision"))
    joining = rest.semi_join(sizes.anti_join(too_many, "value"), "value")
    joining = engine.keep(f"{name}_joining", joining)
    members = joining.select("number").distinct()
    own = rest.filter(rest.kind.isin(list(EXCLUSIVE))).semi_join(members, "number").anti_join(too_many, "value")
    return Evidence(
        nodes=nodes,
        values=values,
        channels=channels,
        links=every,
        joining=joining,
        exclusive=engine.keep(f"{name}_exclusive", _placed(own, channels)),
        backed=every.filter(every.kind.notin(["device", "likeness"])).select("number").distinct(),
        cut=_cut(every, crowded, rest, too_many, identity),
    )


def _nodes(accounts: Any) -> Any:
    first = accounts.group_by("account_id").agg(first_day=accounts.first_day.min())
    in_order = ibis.window(order_by=[first.first_day, first.account_id])
    return first.mutate(number=ibis.row_number().over(in_order))


def _values(links: Any) -> Any:
    tally = links.group_by("kind", "value_hash").agg(accounts=links.count())
    in_order = ibis.window(order_by=[tally.kind, tally.value_hash])
    return tally.mutate(value=ibis.row_number().over(in_order))


def _with_decisions(links: Any, decisions: Any | None, day: Any) -> Any:
    """The links that count after people decided: `together` is evidence, `apart` takes an account out of the rest."""
    dated = links.filter(links.linked_on.isnull() | (links.linked_on <= day))
    dated = dated.select("account_id", "kind", "value_hash", "linked_on")
    if decisions is None:
        return dated
    made = decisions.filter(decisions.decided_on <= day)
    apart = made.filter(made.action == "apart").group_by("account_id").agg(last=lambda rows: rows.decision.max())
    together = made.filter(made.action == "together").left_join(apart, "account_id")
    # who was taken out later is no longer joined by an earlier decision
    together = together.filter(together.last.isnull() | (together.last < together.decision))
    decided = together.select(
        "account_id", kind=ibis.literal("decision"), value_hash=together.decision.cast("string"),
        linked_on=together.decided_on,
    )  # fmt: skip
    return dated.anti_join(apart, "account_id").union(decided)


def _dated(links: Any, nodes: Any) -> Any:
    rows = links.filter(links.kind.isin(list(STRENGTH)) & links.value_hash.notnull()).join(nodes, "account_id")
    since = ibis.greatest(rows.linked_on.coalesce(rows.first_day), rows.first_day)
    rows = rows.select("number", "kind", "value_hash", since=since)
    return rows.group_by("number", "kind", "value_hash").agg(since=rows.since.min())


def _crowded(links: Any) -> Any:
    """(number, kind) of accounts that carry more values of a kind than a person does."""
    own = links.filter(links.kind.isin(list(COLLECTED)))
    tally = own.group_by("number", "kind").agg(values=own.count())
    return tally.filter(tally["values"] > MOST_VALUES).select("number", "kind")


def _placed(links: Any, channels: Any) -> Any:
    per_channel = links.filter(links.kind == "openid").join(channels, "number")
    per_channel = per_channel.select("number", "kind", "value", place="channel")
    others = links.filter(links.kind != "openid").select("number", "kind", "value", place=ibis.literal(""))
    return per_channel.union(others)


def _cut(every: Any, crowded: Any, rest: Any, too_many: Any, identity: Identity) -> Any:
    """The values that too many share, and those of accounts that carry too many."""
    shared = rest.semi_join(too_many, "value")
    held = every.semi_join(crowded, ["number", "kind"])
    return _rows(shared, f"more than {identity.most_accounts} accounts").union(
        _rows(held, f"an account with more than {MOST_VALUES} values of the kind")
    )


def _rows(links: Any, reason: str) -> Any:
    tally = links.group_by("value").agg(accounts=links.number.nunique())
    return tally.mutate(customers=tally.accounts, reason=ibis.literal(reason))
