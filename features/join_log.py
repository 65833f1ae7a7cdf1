"""The joins that made customers, one for each customer that went into another, none to spare."""

from typing import Any

import ibis

from features.components import Keeper, is_empty


def joins_of(engine: Keeper, joining: Any, name: str) -> list[Any]:
    """The joins of one round, as tables (number, via, value, before, after, joined_on).

    `joining` (number, value, since, customer, component) is the evidence that joins customers into components.
    From the customer that gives the component its name, the others are reached step by step, by the earliest evidence.
    """
    rows = engine.keep(f"{name}_joins", joining)
    start = rows.filter(rows.customer == rows.component)
    reached = engine.keep(f"{name}_reached_0", start.select("customer").distinct())
    steps: list[Any] = []
    while True:
        step = engine.keep(f"{name}_step_{len(steps)}", _next(rows, reached))
        if is_empty(step):
            return steps
        steps.append(step)
        reached = engine.keep(f"{name}_reached_{len(steps) % 2}", reached.union(step.select(customer="before")))


def _next(rows: Any, reached: Any) -> Any:
    """The customers that share a value with one that is reached, each with the join that counts."""
    known = rows.semi_join(reached, "customer").select("value", via="number", via_since="since")
    met = rows.anti_join(reached, "customer").join(known, "value")
    joined_on = ibis.greatest(met.since, met.via_since)
    met = met.select("number", "via", "value", before="customer", after="component", joined_on=joined_on)
    order = ibis.window(group_by=met.before, order_by=[met.joined_on, met.number, met.via, met.value])
    ranked = met.mutate(place=ibis.row_number().over(order))
    return ranked.filter(ranked.place == 0).drop("place")
