"""Own products by decayed orders."""

import numpy as np

from features.history import day_number
from models.contracts import Queries
from models.personal import Personal
from models.settings import RecommendSettings
from tests.fixtures.small_shop import history_of, purchases


def test_evidence_is_a_sum_of_halves() -> None:
    history = purchases()
    made = Personal(RecommendSettings(half_life_days=30)).fit(history)
    mine = history.customer == 7
    age = day_number(history.as_of) - history.day[mine]
    wanted = np.bincount(history.product[mine], 0.5 ** (age / 30), minlength=len(history.products))
    np.testing.assert_allclose(made.evidence(np.array([7], np.int32)).toarray()[0], wanted, atol=2e-4)


def test_among_equals_the_more_popular_comes_first() -> None:
    history = history_of({"ann": ["jam", "tea"], "bob": ["tea"], "cid": ["tea"]})
    made = Personal(RecommendSettings()).fit(history)
    scored = made.score(Queries.of_customers(np.array([0], np.int32)), 2)
    assert [history.products[code] for code in scored.product.tolist()] == ["tea", "jam"]
