"""Which products will have more buyers next week than in the mean of the four weeks before, learnt on past weeks."""

import lightgbm as lgb
import numpy as np

from features.history import Float, Purchases, day_number
from models.boosters import LEARNING, THREADS
from models.contracts import Bools

WEEK_DAYS = 7
BEFORE = 8  # weeks whose buyers the chance is told from
COMPARED = 4  # weeks that growth is measured against
LEARNT = 6  # past weeks that are learnt from, each as if it were the next
LEAST_BUYERS = 3  # in the weeks compared: rarer products grow by chance
LEAST_EXAMPLES = 200  # products and weeks, to learn at all
TREES = 80
PARAMETERS = {**LEARNING, "learning_rate": 0.05, "num_leaves": 15}


def chance_of_growth(purchases: Purchases, seed: int) -> Float | None:
    """Chance that next week has more buyers than the mean of the last four, float32 [products]; 0 for rare products.

    None where the history is too short or too thin to learn from.
    """
    weeks = (day_number(purchases.as_of) - int(purchases.day.min(initial=day_number(purchases.as_of)))) // WEEK_DAYS
    if weeks < LEARNT + COMPARED:
        return None
    buyers = weekly_buyers(purchases, LEARNT + BEFORE)
    age = _age_weeks(purchases)
    features, labels = [], []
    for back in range(1, LEARNT + 1):
        seen, common = _as_of(buyers, age, back)
        features.append(seen[common])
        labels.append(buyers[back - 1, common] > buyers[back : back + COMPARED, common].mean(axis=0))
    label = np.concatenate(labels)
    if len(label) < LEAST_EXAMPLES or not 0 < label.sum() < len(label):
        return None
    data = lgb.Dataset(np.concatenate(features), label.astype(np.int8),
                       params={"max_bin": LEARNING["max_bin"], "verbosity": -1})  # fmt: skip
    booster = lgb.train({**PARAMETERS, "seed": seed}, data, num_boost_round=TREES)
    seen, common = _as_of(buyers, age, 0)
    chance = np.zeros(len(purchases.products), np.float32)
    if common.any():
        chance[common] = np.asarray(booster.predict(seen[common], num_threads=THREADS), np.float32)
    return chance


def weekly_buyers(purchases: Purchases, weeks: int) -> Float:
    """Different customers and anonymous baskets per week back from as_of and product, float32 [weeks, products]."""
    products, back = len(purchases.products), (day_number(purchases.as_of) - purchases.day) // WEEK_DAYS
    row = np.flatnonzero(back < weeks)
    customer, order = purchases.customer[row], purchases.order[row]
    buyer = np.where(customer >= 0, customer, len(purchases.customers) + order.astype(np.int64))
    cell = back[row].astype(np.int64) * products + purchases.product[row]
    sort = np.lexsort((buyer, cell))
    cell, buyer = cell[sort], buyer[sort]
    new = np.ones(len(cell), bool)
    new[1:] = (cell[1:] != cell[:-1]) | (buyer[1:] != buyer[:-1])
    counts = np.bincount(cell[new], minlength=weeks * products)
    return counts.reshape(weeks, products).astype(np.float32)


def _age_weeks(purchases: Purchases) -> Float:
    """Weeks from each product's first sale to as_of."""
    first = np.full(len(purchases.products), day_number(purchases.as_of), np.int64)
    np.minimum.at(first, purchases.product, purchases.day)
    return ((day_number(purchases.as_of) - first) // WEEK_DAYS).astype(np.float32)


def _as_of(buyers: Float, age: Float, back: int) -> tuple[Float, Bools]:
    """What is seen of each product `back` weeks before as_of, and which products are bought often enough."""
    seen = buyers[back : back + BEFORE]
    compared = seen[:COMPARED].mean(axis=0)
    columns = (*seen, compared, seen.mean(axis=0), age - back)
    return np.stack(columns, axis=1), compared * COMPARED >= LEAST_BUYERS
