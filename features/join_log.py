"""The joins that made customers, one for each customer that went into another: none to spare, and in words."""

from typing import Any

import ibis

from features.components import Keeper


def joins_of(engine: Keeper, touched: Any, moves: Any, name: str) -> list[Any]:
    """The joins of one round, as tables (joined_on, number, via, before, after, value_hash).

    `touched` (number, value_hash, since, customer) is the evidence that joins, `moves` (node, component) the customers
    and what they became. From the customer that stays, the others are reached step by step, by the earliest evidence.
    """
    moved = moves.rename(customer="node")
    rows = engine.keep(f"{name}_joins", touched.join(moved, "customer").select(*touched.columns, "component"))
    reached = engine.keep(f"{name}_reached_0", moved.filter(moved.customer == moved.component).select("customer"))
    steps: list[Any] = []
    while True:
        step = engine.keep(f"{name}_step_{len(steps)}", _next(rows, reached))
        if not step.count().execute():
            return steps
        steps.append(step)
        reached = engine.keep(f"{name}_reached_{len(steps) % 2}", reached.union(step.select(customer="before")))


def _next(rows: Any, reached: Any) -> Any:
    """The customers that share a value with one that is reached, each with the join that counts."""
    known = rows.semi_join(reached, "customer").select("value_hash", via="number", via_since="since")
    fresh = rows.anti_join(reached, "customer")
    met = fresh.join(known, "value_hash")
    met = met.select(
        "number", "via", "value_hash", before="customer", after="component",
        joined_on=ibis.greatest(met.since, met.via_since),
    )  # fmt: skip
    order = ibis.window(group_by=met.before, order_by=[met.joined_on, met.number, met.via, met.value_hash])
    ranked = met.mutate(place=ibis.row_number().over(order))
    return ranked.filter(ranked.place == 0).drop("place")
