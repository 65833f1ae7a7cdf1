"""Bayesian personalised ranking: what it learns from two groups of customers, and popularity."""

import numpy as np

from models.bpr import Bpr
from models.contracts import Queries
from models.settings import RecommendSettings
from tests.fixtures.small_shop import history_of

SETTINGS = RecommendSettings(half_life_days=30)
DRINKS, TOOLS = ["tea", "milk", "jam", "rice"], ["nails", "glue", "wire", "tape"]


def test_customers_get_what_their_own_kind_buys() -> None:
    drinks = {f"c{n:02d}": [name for place, name in enumerate(DRINKS) if place != n % 4] for n in range(40)}
    tools = {f"d{n:02d}": [name for place, name in enumerate(TOOLS) if place != n % 4] for n in range(40)}
    purchases = history_of({**drinks, **tools})
    made = Bpr(SETTINGS).fit(purchases)
    scored = made.score(Queries.of_customers(np.arange(80, dtype=np.int32)), 4)
    codes = {name: purchases.products.code(name) for name in DRINKS + TOOLS}
    right = np.isin(scored.product, [codes[name] for name in DRINKS]) == (scored.query < 40)
    assert right.mean() > 0.95


def test_between_products_of_one_kind_the_popular_one_comes_first() -> None:
    bought = {f"c{n:02d}": ["tea"] if n % 5 else ["tea", "milk"] for n in range(60)}
    made = Bpr(SETTINGS).fit(history_of(bought))
    tea, milk = made.purchases.products.codes(["tea", "milk"])
    everyone = np.arange(60, dtype=np.int32)
    assert (made.evidence_of(everyone, np.full(60, tea)) > made.evidence_of(everyone, np.full(60, milk))).mean() > 0.8
