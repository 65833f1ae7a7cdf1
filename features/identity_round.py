"""One round of a resolution: the customers that the values of one kind of evidence join, and those they must not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis

from features.components import Keeper, components

Judge = Callable[[Any], Any]  # groups (met, customer) -> (met, reason) of those that must not be one


@dataclass(frozen=True)
class Round:
    """What a round did.

    moves   (customer, component): customers and what they became, the one that stays included
    joining (number, value_hash, since, customer, component): the evidence within those
    cut     (number, value_hash, since, customer, reason): the evidence that did not join
    """

    moves: Any
    joining: Any
    cut: Any


def joined_by(engine: Keeper, touched: Any, judge: Judge, name: str, *, again: bool) -> list[Round]:
    """The round of one kind's evidence, `touched` (number, value_hash, since, customer).

    With `again`, what was cut is tried once more without the customers who touch several of the values: he who orders
    for his mother under her number must neither make the two one, nor keep her number from joining her own accounts.
    """
    first = _attempt(engine, touched, judge, f"{name}_first")
    if not again or not first.cut.count().execute():
        return [first]
    values = touched.group_by("value_hash").agg(customers=touched.customer.nunique())
    shared = touched.semi_join(values.filter(values.customers > 1), "value_hash")
    tally = shared.group_by("customer").agg(values=shared.value_hash.nunique())
    left = first.cut.drop("reason").semi_join(tally.filter(tally["values"] == 1), "customer")
    return [first, _attempt(engine, engine.keep(f"{name}_left", left), judge, f"{name}_second")]


def _attempt(engine: Keeper, touched: Any, judge: Judge, name: str) -> Round:
    pairs = touched.select("value_hash", "customer").distinct()
    values = pairs.group_by("value_hash").agg(least=pairs.customer.min(), customers=pairs.count())
    values = engine.keep(f"{name}_values", values.filter(values.customers > 1))
    groups = pairs.semi_join(values, "value_hash").rename(met="value_hash")
    refused = engine.keep(f"{name}_refused", judge(engine.keep(f"{name}_groups", groups)))
    sound = values.anti_join(refused, values.value_hash == refused.met)
    joining = engine.keep(f"{name}_joining", touched.join(sound, "value_hash").select(*touched.columns, "least"))
    merged = components(engine, engine.keep(f"{name}_edges", _stars(joining)), name)
    merged = merged.rename(customer="node")
    chains = engine.keep(f"{name}_chains", judge(merged.select("customer", met="component")))
    placed = engine.keep(f"{name}_placed", joining.join(merged, "customer").drop("least"))
    at_once = touched.join(refused.rename(value_hash="met"), "value_hash")
    chained = placed.join(chains.rename(component="met"), "component").drop("component")
    chained = chained.mutate(reason=ibis.literal("in a chain, ") + chained.reason)
    return Round(
        moves=engine.keep(f"{name}_moves", merged.anti_join(chains, merged.component == chains.met)),
        joining=placed.anti_join(chains, placed.component == chains.met),
        cut=engine.keep(f"{name}_cut", at_once.union(chained.select(at_once.columns))),
    )


def _stars(joining: Any) -> Any:
    """Edges (a, b) from the least customer of each value to its others."""
    return joining.filter(joining.least != joining.customer).select(a="least", b="customer").distinct()
