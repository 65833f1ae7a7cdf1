"""Similar products by who buys them, against the library's own recommenders and hand-made baskets."""

import warnings

import numpy as np
import pytest
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

from models import item_bm25, item_cosine, item_neighbours
from models.item_bm25 import ItemBm25
from models.item_cosine import ItemCosine
from models.settings import RecommendSettings
from tests.fixtures import small_shop
from tests.fixtures.small_shop import history_of

SETTINGS = RecommendSettings(half_life_days=30)


@pytest.fixture(autouse=True)
def few_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_neighbours, "LEAST_CUSTOMERS", 1)


@pytest.mark.parametrize("kind", [ItemCosine, ItemBm25])
def test_similarities_are_the_librarys(kind: type[ItemCosine | ItemBm25]) -> None:
    made = kind(SETTINGS).fit(small_shop.purchases(60))
    model = CosineRecommender(K=item_cosine.NEIGHBOURS, num_threads=1) if kind is ItemCosine \
        else BM25Recommender(item_bm25.NEIGHBOURS, item_bm25.SATURATION, item_bm25.LENGTH, num_threads=1)  # fmt: skip
    orders = made._orders(np.arange(60, dtype=np.int32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library passes itself another format than it asks for
        model.fit(orders, show_progress=False)
    np.testing.assert_allclose(made.weights.matrix.toarray(), model.similarity.toarray(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        made.evidence(np.array([5], np.int32)).toarray(),
        np.maximum((orders[5] @ model.similarity).toarray(), 0), rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_cosine_is_what_it_says() -> None:
    made = ItemCosine(SETTINGS).fit(small_shop.purchases(60))
    orders = made._orders(np.arange(60, dtype=np.int32)).toarray().astype(np.float64)
    length = np.linalg.norm(orders, axis=0)
    np.testing.assert_allclose(made.weights.matrix.toarray(), orders.T @ orders / np.outer(length, length), atol=1e-5)


@pytest.mark.parametrize("kind", [ItemCosine, ItemBm25])
def test_what_the_same_customers_buy_is_proposed_and_nothing_else(kind: type[ItemCosine | ItemBm25]) -> None:
    bought = {f"c{number}": ["tea", "milk"] for number in range(9)} | {f"d{number}": ["nails"] for number in range(9)}
    others = {f"e{number}": [f"thing {number}"] for number in range(9)}
    purchases = history_of({**bought, **others, "ann": ["tea"]})
    evidence = kind(SETTINGS).fit(purchases).evidence(purchases.customers.codes(["ann", None]))
    assert {purchases.products[code] for code in evidence[0].indices.tolist()} == {"tea", "milk"}
    assert evidence[1].nnz == 0


def test_products_of_hardly_any_owner_are_similar_to_themselves_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_neighbours, "LEAST_CUSTOMERS", 2)
    purchases = history_of({"ann": ["tea", "odd"], "bob": ["tea"]})
    weights = ItemCosine(SETTINGS).fit(purchases).weights.matrix
    odd = purchases.products.code("odd")
    assert weights[odd].indices.tolist() == [odd]
    assert weights[odd, odd] == pytest.approx(1)
