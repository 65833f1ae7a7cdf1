"""One round of a resolution: the customers that the values of one kind of evidence join, and those they must not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis

from features.components import Keeper, components, is_empty

Judge = Callable[[Any], Any]  # groups (met, customer) -> (met, reason) of those that must not be one


@dataclass(frozen=True)
class Round:
    """What a round did.

    moves   (customer, component): customers and what they became, the one that stays included
    joining (number, value, since, customer, component): the evidence within those
    cut     (number, value, since, customer, reason): the evidence that did not join
    """

    moves: Any
    joining: Any
    cut: Any


def joined_by(engine: Keeper, touched: Any, judge: Judge, name: str, *, again: bool) -> list[Round]:
    """The round of one kind's evidence, `touched` (number, value, since, customer).

    With `again`, what was cut is tried once more without the customers who touch several of the values: he who orders
    for his mother under her number must neither make the two one, nor keep her number from joining her own accounts.
    """
    first = _attempt(engine, touched, judge, f"{name}_first")
    if first is None:
        return []
    if not again or is_empty(first.cut):
        return [first]
    sizes = touched.group_by("value").agg(customers=touched.customer.nunique())
    shared = touched.semi_join(sizes.filter(sizes.customers > 1), "value")
    tally = shared.group_by("customer").agg(values=shared.value.nunique())
    left = first.cut.drop("reason").semi_join(tally.filter(tally["values"] == 1), "customer")
    second = _attempt(engine, engine.keep(f"{name}_left", left), judge, f"{name}_second")
    return [first] if second is None else [first, second]


def _attempt(engine: Keeper, touched: Any, judge: Judge, name: str) -> Round | None:
    """One try; None where no value touches several customers."""
    pairs = touched.select("value", "customer").distinct()
    values = pairs.group_by("value").agg(least=pairs.customer.min(), customers=pairs.count())
    values = engine.keep(f"{name}_values", values.filter(values.customers > 1))
    if is_empty(values):
        return None
    groups = pairs.semi_join(values, "value").rename(met="value")
    refused = engine.keep(f"{name}_refused", judge(engine.keep(f"{name}_groups", groups)))
    sound = values.anti_join(refused, values.value == refused.met)
    joining = engine.keep(f"{name}_joining", touched.join(sound, "value").select(*touched.columns, "least"))
    merged = components(engine, engine.keep(f"{name}_edges", _stars(joining)), name)
    merged = merged.rename(customer="node")
    placed = engine.keep(f"{name}_placed", joining.join(merged, "customer").drop("least"))
    chains = engine.keep(f"{name}_chains", judge(engine.keep(f"{name}_chained", _chained(placed))))
    at_once = touched.join(refused.rename(value="met"), "value")
    chained = placed.join(chains.rename(component="met"), "component").drop("component")
    chained = chained.mutate(reason=ibis.literal("in a chain, ") + chained.reason)
    return Round(
        moves=engine.keep(f"{name}_moves", merged.anti_join(chains, merged.component == chains.met)),
        joining=placed.anti_join(chains, placed.component == chains.met),
        cut=engine.keep(f"{name}_cut", at_once.union(chained.select(at_once.columns))),
    )


def _chained(placed: Any) -> Any:
    """The components that more than one value joined, as groups; what one value joins is judged already."""
    tally = placed.group_by("component").agg(values=placed.value.nunique())
    several = placed.semi_join(tally.filter(tally["values"] > 1), "component")
    return several.select("customer", met="component").distinct()


def _stars(joining: Any) -> Any:
    """Edges (a, b) from the least customer of each value to its others."""
    return joining.filter(joining.least != joining.customer).select(a="least", b="customer").distinct()
