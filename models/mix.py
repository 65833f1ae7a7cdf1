"""Re-ranking of a list on purpose: room for products that the customer never bought, and for several categories.

Greedy, in one pass over the ranked list: what would break a rule waits, and comes back only where nothing else is
left to fill the list. With the default settings a list stays as it was ranked.
"""

from dataclasses import replace

import numpy as np

from features.customers import Owned
from features.history import Int
from models.contracts import Bools, Queries, Scored
from models.settings import RecommendSettings

DEPTH = 4  # times the limit: how far down a list products of other categories are looked for


def mixed(scored: Scored, new: Bools, category: Int, limit: int, settings: RecommendSettings) -> Bools:
    """Which entries are shown, at most `limit` of each query; they stay in their order.

    `new` says of each entry whether its customer never bought it, `category` gives its category, -1 for none.
    Of each list at least `explore_share` is new (rounded up) and no category has more than `most_per_category`
    products (0: as many as come), where the entries suffice.
    """
    chosen = np.zeros(len(scored.query), bool)
    bounds = np.flatnonzero(np.diff(scored.query, prepend=-1))
    wanted = int(np.ceil(settings.explore_share * limit - 1e-9))
    most = settings.most_per_category or limit
    for begin, end in zip(bounds.tolist(), [*bounds[1:].tolist(), len(scored.query)], strict=False):
        part = slice(begin, end)
        at = _chosen(new[part].tolist(), category[part].tolist(), limit, wanted, most)
        chosen[[begin + place for place in at]] = True
    return chosen


def strange(queries: Queries, owned: Owned) -> Queries:
    """The same queries with all excluded that their customers ever bought."""
    query, entry = owned.entries(queries.customer)
    own = np.split(owned.product[entry], np.searchsorted(query, np.arange(1, len(queries))))
    excluded = tuple(np.append(old, new).astype(np.int32) for old, new in zip(queries.excluded, own, strict=False))
    return replace(queries, excluded=excluded)


def mixes(settings: RecommendSettings) -> bool:
    """Whether lists are re-ranked at all."""
    return settings.explore_share > 0 or settings.most_per_category > 0


def _chosen(new: list[bool], category: list[int], limit: int, wanted: int, most: int) -> list[int]:
    """Positions of one list that are shown."""
    held: dict[int, int] = {}
    chosen: set[int] = set()
    for only_new, room in ((True, min(wanted, limit)), (False, limit)):
        for at, code in enumerate(category):
            if len(chosen) >= room:
                break
            free = at not in chosen and (new[at] or not only_new)
            if free and (code < 0 or held.get(code, 0) < most):
                held[code] = held.get(code, 0) + 1
                chosen.add(at)
    rest = [at for at in range(len(new)) if at not in chosen]
    return sorted([*chosen, *rest[: limit - len(chosen)]])
