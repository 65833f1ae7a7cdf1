"""Which of the twin candidates are twins: decided in time order, so that later records change nothing before them."""

from datetime import date
from typing import Any

import ibis

from features.twin_words import twin_words
from features.twins import MOST_ALIKE, NUMBER, TURN

ORDER = ("order_id", "day")
ROOT = ("root_order_id", "root_day", "root_source")
PARTNER_FIRST = ("candidate_ordered_at", "candidate_source", "candidate_order_id", "candidate_day")


def twins(engine: Any, candidates: Any, decided: Any | None = None, since: date | None = None) -> Any:
    """The table `order_twins`: the twins, and without `kept_order_id` the orders that had a candidate and were left.

    An order is the twin of an earlier one where exactly one earlier order fits that no order of its own source is
    a twin of yet; evidence by number counts alone where there is any. Three systems end at one kept order.
    `decided` holds the `order_twins` of the days before `since`: they stand, and only later records are decided.
    """
    stands = _standing(decided, since)
    pairs = engine.keep("twin_pairs", _judged(candidates))
    nodes = engine.keep("twin_orders", _nodes(pairs, stands))
    if since is not None:
        pairs = engine.keep("twin_new_pairs", pairs.filter(pairs.day >= since))
    state, rounds = nodes, 0
    while True:
        # A record depends on earlier ones only: once a round changes nothing, all are right. Each round settles at
        # least one more record of every chain, and chains are short.
        after = engine.keep(f"twin_state_{rounds % 2}", _decided_once(pairs, nodes, state, stands))
        if not after.anti_join(state, [*ORDER, *ROOT]).limit(1).to_pyarrow().num_rows:
            break
        state, rounds = after, rounds + 1
    return _table(pairs, state, _free(pairs, state, stands))


def receipt_links(order_twins: Any, headers: Any) -> Any:
    """Identity evidence of order numbers: accounts of one order are one person's, known on the later record's day.

    Columns account_id, kind ('receipt'), value_hash (md5 of the kept order's number), linked_on.
    """
    twin = order_twins.filter((order_twins.evidence == NUMBER) & order_twins.kept_order_id.notnull())
    known = headers.filter(headers.account_id.notnull())
    orders = {"order_id": twin.order_id, "day": twin.day}, {"order_id": twin.kept_order_id, "day": twin.kept_day}
    ends = [twin.select(value=twin.kept_order_id, linked_on=twin.day, **order) for order in orders]
    both = ends[0].union(ends[1]).inner_join(known.select(*ORDER, "account_id"), list(ORDER))
    links = both.group_by("account_id", "value").agg(linked_on=both.linked_on.min())
    return links.select(
        "account_id", kind=ibis.literal("receipt"), value_hash=links.value.hexdigest("md5"), linked_on="linked_on"
    )


def _judged(candidates: Any) -> Any:
    """The better evidence of each pair, how many orders of one source are `alike`, and whether it is `usable`."""
    ends = [*ORDER, "candidate_order_id", "candidate_day"]
    window = ibis.window(group_by=ends, order_by=[candidates.evidence.desc(), candidates.borne_out.desc()])
    best = candidates.mutate(nth=ibis.row_number().over(window))
    best = best.filter(best.nth == 0).drop("nth")
    numbered = best.evidence == NUMBER
    by_number = numbered.cast("int64").max().over(ibis.window(group_by=ORDER)) == 1
    alike = best.count().over(ibis.window(group_by=[*ORDER, "candidate_source", "evidence"]))
    best = best.mutate(alike=alike, by_number=by_number)
    alive = best.cancelled | ~best.candidate_cancelled  # a purchase never gives way to a cancelled record
    strongest = (best.evidence == NUMBER) | ~best.by_number
    return best.mutate(usable=best.borne_out & alive & strongest & (best.alike <= MOST_ALIKE)).drop("by_number")


def _standing(decided: Any | None, since: date | None) -> Any | None:
    """Twins of earlier days."""
    if decided is None or since is None:
        return None
    earlier = decided.filter(decided.kept_order_id.notnull() & (decided.day < since))
    return earlier.select(
        *ORDER, "source", root_order_id="kept_order_id", root_day="kept_day", root_source="kept_source"
    )


def _nodes(pairs: Any, stands: Any | None) -> Any:
    """Every order of a pair with its `turn` in time and its root: itself, or what an earlier day decided."""
    later = pairs.select(*ORDER, "source", "ordered_at")
    every = later.union(pairs.select(**{name: f"candidate_{name}" for name in later.columns})).distinct()
    every = every.mutate(turn=ibis.row_number().over(ibis.window(order_by=list(TURN))))
    own = dict(zip(ROOT, (every.order_id, every.day, every.source), strict=True))
    if stands is None:
        return every.select(*ORDER, "source", "turn", **own)
    return _rerooted(every.mutate(**own), stands)


def _rerooted(nodes: Any, roots: Any) -> Any:
    """The nodes with another root where `roots` has one."""
    other = roots.select(_order="order_id", _day="day", **{f"_{name}": name for name in ROOT})
    joined = nodes.left_join(other, [nodes.order_id == other._order, nodes.day == other._day])
    return joined.select(*ORDER, "source", "turn", **{name: joined[f"_{name}"].coalesce(joined[name]) for name in ROOT})


def _decided_once(pairs: Any, nodes: Any, state: Any, stands: Any | None) -> Any:
    """One round: each order joins its only free root, by the roots that the round before gave."""
    free = _free(pairs, state, stands)
    only = free.group_by(*ORDER).agg(**{name: free[name].min() for name in ROOT}, roots=free.count())
    return _rerooted(nodes, only.filter(only.roots == 1))


def _free(pairs: Any, state: Any, stands: Any | None) -> Any:
    """The different roots of each order's candidates under which no earlier order of its own source stands."""
    usable = pairs.filter(pairs.usable).select(*ORDER, "candidate_order_id", "candidate_day")
    asking = state.select(*ORDER, "source", "turn")
    root = state.select(candidate_order_id="order_id", candidate_day="day", **{name: name for name in ROOT})
    asked = usable.inner_join(asking, list(ORDER)).inner_join(root, ["candidate_order_id", "candidate_day"])
    asked = asked.select(*ORDER, "source", "turn", *ROOT).distinct()
    first = _first_of_source(state, stands)
    held = asked.left_join(first, [
        asked.source == first.of_source, asked.root_order_id == first.of_order, asked.root_day == first.of_day
    ])  # fmt: skip
    return held.filter(held.first_turn.isnull() | (held.first_turn >= held.turn)).select(*ORDER, *ROOT)


def _first_of_source(state: Any, stands: Any | None) -> Any:
    """The first order of each source under each root, the root itself included."""
    members = state.select("source", "turn", *ROOT)
    if stands is not None:
        before = ibis.literal(-1).cast("int64")
        members = members.union(stands.select("source", turn=before, **{name: name for name in ROOT}))
        members = members.union(stands.select(source="root_source", turn=before, **{name: name for name in ROOT}))
    first = members.group_by("source", "root_order_id", "root_day").agg(first_turn=members.turn.min())
    return first.select(of_source="source", of_order="root_order_id", of_day="root_day", first_turn="first_turn")


def _table(pairs: Any, state: Any, free: Any) -> Any:
    """One row per order that had a candidate: the pair that decided it, in words."""
    candidate = {"candidate_order_id": "order_id", "candidate_day": "day", **{f"candidate_{n}": n for n in ROOT}}
    roots = free.group_by(*ORDER).agg(free_roots=free.count())
    pairs = pairs.inner_join(state.select(*ORDER, *ROOT), list(ORDER))
    pairs = pairs.inner_join(state.select(**candidate), ["candidate_order_id", "candidate_day"])
    pairs = pairs.left_join(roots, list(ORDER)).drop("order_id_right", "day_right")
    twin = (pairs.root_order_id != pairs.order_id) | (pairs.root_day != pairs.day)
    joins = pairs.usable & (pairs.root_order_id == pairs.candidate_root_order_id) \
        & (pairs.root_day == pairs.candidate_root_day)  # fmt: skip
    pairs = pairs.mutate(twin=twin, joins=joins, free_roots=pairs.free_roots.coalesce(0))
    order_by = [pairs.joins.desc(), pairs.usable.desc(), pairs.evidence.desc(), *(pairs[n] for n in PARTNER_FIRST)]
    pairs = pairs.mutate(nth=ibis.row_number().over(ibis.window(group_by=list(ORDER), order_by=order_by)))
    chosen = pairs.filter(pairs.nth == 0)
    return chosen.select(
        *ORDER, "source", "order_number",
        **{f"kept_{n.removeprefix('root_')}": ibis.cases((chosen.twin, chosen[n]), else_=None) for n in ROOT},
        evidence="evidence", seconds_apart="seconds_apart", explanation=twin_words(chosen),
    )  # fmt: skip
