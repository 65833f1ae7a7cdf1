"""EASE's weights against the formula of the paper, and what they say of known baskets."""

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

from models import ease
from models.ease import Ease, over_customers, over_products
from models.settings import RecommendSettings
from tests.fixtures import small_shop
from tests.fixtures.small_shop import history_of

SETTINGS = RecommendSettings(half_life_days=30)


def rows(customers: int, products: int) -> sp.csr_matrix:
    return sp.random(customers, products, density=0.2, format="csr", dtype=np.float32, random_state=5)


def formula(matrix: sp.csr_matrix, regularisation: float) -> npt.NDArray[np.float64]:
    """Steck (2019), equations 6 and 8."""
    dense = matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + regularisation * np.eye(dense.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


@pytest.mark.parametrize(("customers", "products"), [(40, 90), (90, 40)])
def test_both_ways_give_the_weights_of_the_paper(customers: int, products: int) -> None:
    matrix = rows(customers, products)
    wanted = formula(matrix, 0.7)
    in_chunks = iter([matrix[:7], matrix[7:]])
    np.testing.assert_allclose(np.vstack(list(over_customers(matrix, 0.7))), wanted, atol=2e-5)
    np.testing.assert_allclose(np.vstack(list(over_products(in_chunks, products, 0.7))), wanted, atol=2e-5)


@pytest.mark.parametrize("customers", [12, 60])
def test_evidence_is_weights_times_square_roots_and_own_orders(customers: int) -> None:
    purchases = small_shop.purchases(customers, products=20)
    made = Ease(SETTINGS).fit(purchases)
    asked = np.arange(customers, dtype=np.int32)
    orders = made._orders(asked).toarray()
    roots = np.sqrt(orders) / np.sqrt(orders.sum(axis=1, keepdims=True))
    said = np.maximum(roots @ formula(sp.csr_matrix(roots), ease.REGULARISATION), 0)
    own = orders / np.linalg.norm(orders, axis=1, keepdims=True)
    np.testing.assert_allclose(made.evidence(asked).toarray(), said + ease.OWN_SHARE * own, atol=1e-4)


def test_what_goes_with_an_own_product_is_proposed_and_nothing_else() -> None:
    bought = {f"c{number}": ["tea", "milk"] for number in range(9)} | {f"d{number}": ["nails"] for number in range(9)}
    purchases = history_of({**bought, "ann": ["tea"], "zoe": ["nails"]})
    made = Ease(SETTINGS).fit(purchases)
    codes = purchases.customers.codes(["ann", "zoe"])
    named = [{purchases.products[code] for code in made.evidence(codes)[row].indices.tolist()} for row in (0, 1)]
    assert named == [{"tea", "milk"}, {"nails"}]


def test_only_the_strongest_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "KEPT", 3)
    purchases = small_shop.purchases(60, products=20)
    made = Ease(SETTINGS).fit(purchases)
    weights = made.weights.matrix
    roots = ease.square_roots_of(made._orders(np.arange(60, dtype=np.int32)))
    whole = formula(roots, ease.REGULARISATION)
    for product in range(20):
        kept = np.sort(np.abs(weights[product].data))
        np.testing.assert_allclose(kept, np.sort(np.abs(whole[product]))[-3:], atol=1e-4)
