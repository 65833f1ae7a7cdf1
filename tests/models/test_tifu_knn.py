"""TIFU-KNN against its formulas written as loops."""

import numpy as np
import numpy.typing as npt
import pytest

from features.history import Purchases, day_number
from models import tifu_knn
from models.settings import RecommendSettings
from models.tifu_knn import TifuKnn, TifuKnnByOrders
from tests.fixtures import small_shop
from tests.fixtures.small_shop import history_of

Numbers = npt.NDArray[np.float64]
SETTINGS = RecommendSettings(half_life_days=30)
NEAREST = 5


def baskets(purchases: Purchases, customer: int) -> list[tuple[int, Numbers]]:
    """Day and basket vector of each order of a customer, in the order of time."""
    found = []
    for order in np.unique(purchases.order[purchases.customer == customer]):
        rows = purchases.order == order
        vector = np.zeros(len(purchases.products))
        vector[purchases.product[rows]] = 1
        found.append((int(purchases.day[rows][0]), vector))
    return found


def vector_by_orders(purchases: Purchases, customer: int) -> Numbers:
    """Hu et al. (2020), equations 1 to 3."""
    vectors = [vector for _, vector in baskets(purchases, customer)]
    size, groups = tifu_knn.GROUP_ORDERS, []
    for end in range(len(vectors), 0, -size):
        group = vectors[max(end - size, 0) : end]
        weights = [tifu_knn.WITHIN_DECAY ** (len(group) - 1 - place) for place in range(len(group))]
        groups.append(sum(weight * vector for weight, vector in zip(weights, group, strict=True)) / size)
    groups.reverse()
    weights = [tifu_knn.GROUP_DECAY ** (len(groups) - 1 - place) for place in range(len(groups))]
    return np.asarray(sum(weight * group for weight, group in zip(weights, groups, strict=True)) / len(groups))


def vector_by_days(purchases: Purchases, customer: int) -> Numbers:
    half_life = tifu_knn.HALF_LIVES * SETTINGS.half_life_days
    age = [(day_number(purchases.as_of) - day, vector) for day, vector in baskets(purchases, customer)]
    return np.asarray(sum(0.5 ** (days / half_life) * vector for days, vector in age))


def predictions(vectors: Numbers) -> Numbers:
    """Equation 4: own vector and mean of the nearest blended."""
    found = []
    for own, vector in enumerate(vectors):
        cosine = [
            -1.0 if other == own else vector @ near / np.linalg.norm(vector) / np.linalg.norm(near)
            for other, near in enumerate(vectors)
        ]
        nearest = np.argsort(cosine)[::-1][:NEAREST]
        found.append(tifu_knn.OWN_SHARE * vector + (1 - tifu_knn.OWN_SHARE) * vectors[nearest].mean(axis=0))
    return np.asarray(found)


@pytest.mark.parametrize(("kind", "vector"), [(TifuKnn, vector_by_days), (TifuKnnByOrders, vector_by_orders)])
def test_evidence_is_what_the_formulas_of_the_paper_give(
    kind: type[TifuKnn], vector: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tifu_knn, "NEAREST", NEAREST)
    monkeypatch.setattr(tifu_knn, "GROUP_ORDERS", 3)
    monkeypatch.setattr(tifu_knn, "WITHIN_DECAY", 0.9)
    purchases = small_shop.purchases()
    customers = np.arange(len(purchases.customers), dtype=np.int32)
    evidence = kind(SETTINGS).fit(purchases).evidence(customers)
    assert callable(vector)
    wanted = predictions(np.stack([vector(purchases, customer) for customer in customers.tolist()]))
    np.testing.assert_allclose(evidence.toarray(), wanted, rtol=1e-5, atol=1e-6)


def test_what_a_twin_buys_is_proposed_and_a_stranger_gets_nothing() -> None:
    purchases = history_of({"ann": ["tea", "milk"], "bob": ["tea", "milk", "jam"], "cid": ["nails"]})
    made = TifuKnn(SETTINGS).fit(purchases)
    ann, unknown = purchases.customers.code("ann"), -1
    evidence = made.evidence(np.array([ann, unknown], np.int32))
    named = {purchases.products[code] for code in evidence[0].indices.tolist()}
    assert named == {"tea", "milk", "jam"}
    assert evidence[1].nnz == 0
