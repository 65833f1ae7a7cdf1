"""Vectors of customers, folded in from what they bought, against the library's own."""

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares

from models import als
from models.als import Als, folded_in
from models.settings import RecommendSettings
from tests.fixtures import small_shop

SETTINGS = RecommendSettings(half_life_days=30)


@pytest.fixture(autouse=True)
def few_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "FACTORS", 6)
    monkeypatch.setattr(als, "REGULARISATION", 0.5)


def test_a_customers_vector_is_what_the_library_computes_from_its_rows() -> None:
    purchases = small_shop.purchases(60)
    made = Als(SETTINGS).fit(purchases)
    customers = np.arange(60, dtype=np.int32)
    confidence = made._confidence(customers)
    model = AlternatingLeastSquares(factors=6, iterations=6, regularization=0.5, alpha=1.0, random_state=7,
                                    num_threads=2, use_gpu=False)  # fmt: skip
    model.fit(confidence, show_progress=False)
    np.testing.assert_allclose(made.product_factors, model.item_factors, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.vectors(customers), model.recalculate_user(customers, confidence), atol=1e-4)


def test_conjugate_gradients_solve_the_normal_equations() -> None:
    purchases = small_shop.purchases(60)
    made = Als(SETTINGS).fit(purchases)
    confidence = made._confidence(np.array([3], np.int32))
    weight, factors = confidence.toarray()[0], made.product_factors
    bought = weight > 0
    left = made._gram + (factors[bought].T * (weight[bought] - 1)) @ factors[bought]
    np.testing.assert_allclose(
        folded_in(confidence, factors, made._gram)[0], np.linalg.solve(left, weight @ factors), atol=1e-4
    )


def test_a_customer_who_came_after_the_fit_is_scored_by_its_own_rows() -> None:
    purchases = small_shop.purchases(60)
    made = Als(SETTINGS).fit(purchases)
    factors = made.product_factors
    made.purchases = small_shop.purchases(70)
    assert len(made.purchases.products) == len(purchases.products)
    newcomer = np.array([69], np.int32)
    score = made.vectors(newcomer)[0] @ factors.T
    bought = np.isin(made.product, made.purchases.product[made.purchases.customer == 69])
    assert score[bought].mean() > score[~bought].mean() + 0.1


def test_evidence_of_a_pair_is_its_score() -> None:
    made = Als(SETTINGS).fit(small_shop.purchases(60))
    vectors = made.vectors(np.array([4, 9], np.int32))
    pairs = made.evidence_of(np.array([9, 4, -1, 9], np.int32), made.product[[2, 0, 0, 1]])
    wanted = [vectors[1] @ made.product_factors[2], vectors[0] @ made.product_factors[0], np.nan,
              vectors[1] @ made.product_factors[1]]  # fmt: skip
    np.testing.assert_allclose(pairs, wanted, rtol=1e-4, atol=1e-6)
