"""Backtest of with-basket: which product was taken out of a basket?"""

from dataclasses import replace
from typing import Any

import numpy as np

from features.customers import owned_of
from features.history import Int, day_number
from models.contracts import Queries, Recommender
from models.items import Items, only_basket
from models.personal import Personal
from models.popular import Popular
from models.settings import RecommendSettings
from models.with_basket import WithBasket
from training.surface_week import PLACES, Numbers, Week, asked, gains, places_of

LEAST_PRODUCTS = 3  # of a basket that is asked about
Values = dict[tuple[str, str, str], Numbers]


def basket_values(week: Week, settings: RecommendSettings) -> Values:
    """Metrics of each basket by (who asks, method, metric); who: known, as a guest, and known by kind of product.

    Of every basket of the week with LEAST_PRODUCTS products one is held out at random. `repeat` are baskets whose
    held-out product the customer had bought before, `new` the others of known customers.
    """
    queries, truth = held_out(week, settings.seed)
    models: dict[str, Recommender] = {name: kind(settings).fit(week.history) for name, kind in
                                      (("items", Items), ("popular", Popular), ("personal", Personal))}  # fmt: skip
    models["with_basket"] = WithBasket(settings).fit(
        week.history, {name: models[name] for name in ("items", "popular")}
    )
    before = owned_of(week.history, settings.half_life_days).find(queries.customer, truth) >= 0
    known = queries.customer >= 0
    everyone = np.ones(len(known), bool)
    groups = {"known": known, "repeat": known & before, "new": known & ~before}
    values: Values = {}
    for name, model in models.items():
        answers = {"asked": queries, "guest": replace(queries, customer=np.full(len(truth), -1, np.int32))}
        for who, these in answers.items():
            if who == "guest" and name == "personal":
                continue
            said = gains(places_of(model.score(only_basket(these) if name == "items" else these, PLACES), truth))
            for group, members in (groups if who == "asked" else {"guest": everyone}).items():
                values |= {(group, name, metric): value[members] for metric, value in said.items()}
    return values


def held_out(week: Week, seed: int) -> tuple[Queries, Int]:
    """Baskets without one product each, as queries of the week's history, and that product (-1: new since)."""
    rows, random = week.rows, np.random.default_rng([seed, day_number(week.cutoff)])
    start = np.flatnonzero(np.diff(week.window.order[rows], prepend=-1))
    size = np.diff(np.append(start, len(rows)))
    out = start + np.floor(random.random(len(size)) * size).astype(np.int64)
    product = week.column("product", rows)
    held: list[Any] = [np.delete(part, at) for part, at in zip(np.split(product, start[1:]), out - start, strict=True)]
    keep = np.flatnonzero(size >= LEAST_PRODUCTS)
    first = rows[start[keep]]
    baskets = [held[number][held[number] >= 0] for number in keep.tolist()]
    return asked(week.column("customer", first), week.column("location", first), baskets), product[out[keep]]
