"""Connected components of a graph too large for memory, as steps of an engine."""

from typing import Any, Protocol

import ibis


class Keeper(Protocol):
    """What computing in steps needs of an engine: DuckDB's or Spark's."""

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an Ibis expression into the table `name`, replacing it, and return that table."""


def is_empty(rows: Any) -> bool:
    """Whether an Ibis table has no row; computed now."""
    return bool(rows.limit(1).to_pyarrow().num_rows == 0)


def components(engine: Keeper, edges: Any, name: str) -> Any:
    """The least node that each node of `edges` (a, b: int64, either way round, once each) is connected with.

    Returns (node, component). FastSV (Zhang, Azad, Hu 2020): parents hook onto the least grandparent among the
    neighbours and pointers jump, so that a chain of n nodes takes about log2(n) passes. Uses tables `name`_….
    """
    both = engine.keep(f"{name}_both", edges.select("a", "b").union(edges.select(a="b", b="a")))
    first = both.group_by(node=both.a).agg(least=both.b.min())
    parents = engine.keep(f"{name}_parents_0", first.select("node", parent=ibis.least(first.node, first.least)))
    turn = 0
    while True:
        turn = 1 - turn  # no table is computed from itself: not every engine can
        following = engine.keep(f"{name}_parents_{turn}", _hooked(engine, both, parents, name))
        moved = following.join(parents, "node").filter(following.parent != parents.parent)
        if is_empty(moved):
            return following.select("node", component=following.parent)
        parents = following


def _hooked(engine: Keeper, both: Any, parents: Any, name: str) -> Any:
    above = parents.select(parent="node", grand="parent")
    known = engine.keep(f"{name}_grand", parents.join(above, "parent").select("node", "parent", "grand"))
    met = both.join(known, both.b == known.node).select("a", "grand")
    low = met.group_by(node=met.a).agg(to=met.grand.min())
    low = engine.keep(f"{name}_low", low)
    hooks = low.join(known, "node").select(node=known.parent, to=low.to)
    offers = known.select("node", to="grand").union(low.select("node", "to")).union(hooks)
    return offers.group_by("node").agg(parent=offers.to.min())
