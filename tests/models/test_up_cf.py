"""UP-CF against its formulas written as loops."""

import numpy as np
import numpy.typing as npt
import pytest

from features.history import Purchases
from models import up_cf
from models.settings import RecommendSettings
from models.up_cf import UpCf
from tests.fixtures import small_shop
from tests.fixtures.small_shop import history_of

SETTINGS = RecommendSettings(half_life_days=30)


def popularity(purchases: Purchases, customer: int, recent: int) -> npt.NDArray[np.float64]:
    """Faggioli et al. (2020), equation 4: share of the last orders that hold each product."""
    orders = sorted(set(purchases.order[purchases.customer == customer].tolist()))[-recent:]
    found = np.zeros(len(purchases.products))
    for order in orders:
        found[purchases.product[purchases.order == order]] += 1 / len(orders)
    return found


@pytest.mark.parametrize("recent", [3, 100])
def test_evidence_is_what_the_formulas_of_the_paper_give(recent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_cf, "RECENT_ORDERS", recent)
    purchases = small_shop.purchases()
    customers = range(len(purchases.customers))
    shares = [popularity(purchases, customer, recent) for customer in customers]
    wanted = np.zeros((len(shares), len(purchases.products)))
    for one, own in enumerate(shares):
        for other in shares:
            lengths = (own @ own) ** up_cf.ASYMMETRY * (other @ other) ** (1 - up_cf.ASYMMETRY)
            similarity = 1.0 if other is own else own @ other / lengths
            wanted[one] += similarity**up_cf.LOCALITY * other
    evidence = UpCf(SETTINGS).fit(purchases).evidence(np.array(customers, np.int32))
    np.testing.assert_allclose(evidence.toarray(), wanted, rtol=1e-4, atol=1e-6)


def test_only_the_last_orders_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_cf, "RECENT_ORDERS", 1)
    purchases = small_shop.purchases()
    weight = up_cf.profiles(purchases, np.array([4], np.int32), up_cf.own_popularity)
    last = purchases.product[purchases.order == purchases.order[purchases.customer == 4].max()]
    assert weight.indices.tolist() == sorted(last.tolist())


def test_what_the_like_minded_buy_is_proposed_and_a_stranger_gets_nothing() -> None:
    purchases = history_of({"ann": ["tea", "milk"], "bob": ["tea", "milk", "jam"], "cid": ["nails"]})
    evidence = UpCf(SETTINGS).fit(purchases).evidence(np.array([purchases.customers.code("ann"), -1], np.int32))
    assert {purchases.products[code] for code in evidence[0].indices.tolist()} == {"tea", "milk", "jam"}
    assert evidence[1].nnz == 0
