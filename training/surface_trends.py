"""Backtest of trending: does what is said to grow go on growing?

A product grew where it has more buyers in the target week than in the mean of the four weeks before; buyers are
different customers and anonymous baskets, everywhere or at one location.
"""

from dataclasses import replace

import numpy as np

from features.history import Int, Purchases, day_number
from models.contracts import Bools, Recommender
from models.growth import COMPARED, WEEK_DAYS, weekly_buyers
from models.popular import Popular
from models.settings import RecommendSettings
from models.trending import Trending
from training.surface_baskets import Values
from training.surface_week import PLACES, Week, asked

LOCATIONS = 30  # those with the most lines in the weeks compared


def trend_values(week: Week, settings: RecommendSettings) -> Values:
    """Whether each named product grew, by (everywhere or here, method, metric); here are the busiest locations.

    `random` is the share that grew of all that was sold in the weeks compared, which a random list would have.
    """
    models: dict[str, Recommender] = {"trending": Trending(settings).fit(week.history),
                                      "popular": Popular(settings).fit(week.history)}  # fmt: skip
    values: Values = {}
    for place, locations in (("everywhere", np.full(1, -1, np.int32)), ("here", _busiest(week.history))):
        judged = [_grew(week, location) for location in locations.tolist()]
        for name, model in models.items():
            lists = model.score(asked(np.full(len(locations), -1, np.int32), locations), PLACES)
            hits = [judged[query][0][product] for query, product in zip(lists.query, lists.product, strict=True)]
            values[place, name, "grew"] = np.array(hits, np.float64)
        values[place, "random", "grew"] = np.array([grew[sold].mean() for grew, sold in judged if sold.any()])
    return values


def _busiest(history: Purchases) -> Int:
    recent = (history.day > day_number(history.as_of) - COMPARED * WEEK_DAYS) & (history.location >= 0)
    lines = np.bincount(history.location[recent], minlength=len(history.locations))
    return np.argsort(-lines, kind="stable")[: min(LOCATIONS, int((lines > 0).sum()))].astype(np.int32)


def _grew(week: Week, location: int) -> tuple[Bools, Bools]:
    """Whether each of the history's products grew at a location (-1: everywhere), and whether it was sold before."""
    window = week.window
    name = week.history.locations[location] if location >= 0 else None
    here = window.location == window.locations.code(name) if name else np.ones(len(window), bool)
    names = ("customer", "product", "location", "channel", "order", "day", "units", "amount")
    part = replace(window, **{column: getattr(window, column)[here] for column in names})
    buyers = weekly_buyers(part, 1 + COMPARED)[:, window.products.codes(week.history.products.values)]
    return buyers[0] > buyers[1:].mean(axis=0), buyers[1:].sum(axis=0) > 0
