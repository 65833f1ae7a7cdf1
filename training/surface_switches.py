"""Backtest of similar: a customer took another product of the category instead: was it in the list?"""

from typing import Any

import numpy as np

from features.history import day_number, recoded
from models.contracts import Queries, Scored
from models.items import Items
from models.popular import Popular
from models.ranking import joined
from models.settings import RecommendSettings
from models.substitutes import Substitutes
from models.switches import find_switches
from training.surface_baskets import Values
from training.surface_week import PLACES, Week, asked, gains, places_of


def switch_values(week: Week, settings: RecommendSettings) -> Values:
    """hit@10 of each switch of the week from a product that was known before it, by ("switch", method, metric).

    Baselines: the category's products by popularity at the place; by how often they share baskets with the product.
    """
    found, history = find_switches(week.window, day_number(week.cutoff) - 1), week.history
    left, taken = (recoded(week.window.products, history.products, codes) for codes in (found.left, found.taken))
    keep = np.flatnonzero(left >= 0)
    left, taken = left[keep], taken[keep]
    location = recoded(week.window.locations, history.locations, found.location[keep])
    queries = asked(np.full(len(left), -1, np.int32), location, anchor=left)
    popular, items = Popular(settings).fit(history), Items(settings).fit(history)
    own = Substitutes(settings).fit(history, {"popular": popular})
    answers = {
        "substitutes": own.score(queries, PLACES),
        "items": items.score(queries, PLACES),
        "popular of the category here": _of_category(week, queries, popular),
    }
    return {("switch", name, metric): value for name, answer in answers.items()
            for metric, value in gains(places_of(answer, taken)).items()}  # fmt: skip


def _of_category(week: Week, queries: Queries, popular: Popular) -> Scored:
    """The best of each anchor's category by their share of the buyers at the query's place."""
    finest, parts = week.history.catalog.finest, []
    order = np.argsort(finest, kind="stable").astype(np.int32)
    start = np.searchsorted(finest[order], np.arange(int(finest.max(initial=-1)) + 2))
    for location in np.unique(queries.location).tolist():
        share = popular.share(location)
        for query in np.flatnonzero(queries.location == location).tolist():
            anchor = int(queries.anchor[query])
            other: Any = order[start[finest[anchor]] : start[finest[anchor] + 1]]
            best = other[np.lexsort((other, -share[other]))][: PLACES + 1]
            best = best[best != anchor][:PLACES]
            parts.append((np.full(len(best), query, np.int32), best, share[best]))
    return joined(parts)
