"""Co-purchase counts against a plain count, and in blocks of any size."""

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import permutations

import numpy as np
import pytest

from features.history import Ids
from models import co_purchase
from models.co_purchase import CoPurchase, count_together
from models.contracts import Queries
from models.items import Items
from models.settings import RecommendSettings
from tests.fixtures import tiny_models

AS_OF = date(2024, 5, 5)


@pytest.fixture(scope="module")
def pairs() -> CoPurchase:
    return count_together(tiny_models.purchases(AS_OF), 180)


def test_shared_baskets_are_counted_exactly(pairs: CoPurchase) -> None:
    table = tiny_models.history_table().to_pandas()
    history = tiny_models.purchases(AS_OF)
    baskets = table[table["day"] <= AS_OF].groupby("order_id")["product_id"].agg(set)
    together = Counter(pair for basket in baskets for pair in permutations(sorted(basket), 2))
    seen = 0
    for product, name in enumerate(history.products):
        for entry in range(pairs.start[product], pairs.start[product + 1]):
            other = history.products[int(pairs.neighbour[entry])]
            assert pairs.together[entry] == together[name, other]
            seen += 1
    assert seen == sum(count >= co_purchase.LEAST_TOGETHER for count in together.values())


def test_neighbours_fall_in_similarity_and_hold_never_the_product_itself(pairs: CoPurchase) -> None:
    for product in range(len(pairs.orders)):
        entries = slice(pairs.start[product], pairs.start[product + 1])
        assert (np.diff(pairs.similarity[entries]) <= 0).all()
        assert product not in pairs.neighbour[entries]
        assert ((pairs.similarity[entries] > 0) & (pairs.similarity[entries] <= 1)).all()


def test_the_size_of_blocks_changes_nothing(pairs: CoPurchase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(co_purchase, "BLOCK_PAIRS", 500)
    blocked = count_together(tiny_models.purchases(AS_OF), 180)
    for name, values in vars(pairs).items():
        if isinstance(values, np.ndarray):
            assert np.array_equal(values, getattr(blocked, name)), name


def test_only_the_most_similar_are_kept(monkeypatch: pytest.MonkeyPatch, pairs: CoPurchase) -> None:
    monkeypatch.setattr(co_purchase, "NEIGHBOURS", 3)
    few = count_together(tiny_models.purchases(AS_OF), 180)
    assert np.diff(few.start).max() == 3
    first = [pairs.neighbour[pairs.start[p] : pairs.start[p] + 3].tolist() for p in range(24)]
    assert [few.neighbour[few.start[p] : few.start[p + 1]].tolist() for p in range(24)] == first


def test_a_basket_is_looked_up_before_the_customers_own_purchases() -> None:
    history = tiny_models.purchases(AS_OF)
    items = Items(RecommendSettings()).fit(history)
    basket = (np.array([history.products.code("p17")], np.int32),)
    nothing, unknown = (np.empty(0, np.int32),), np.array([-1], np.int32)
    with_customer = Queries(np.array([0], np.int32), unknown, unknown, basket, unknown, nothing)
    without = Queries(unknown, unknown, unknown, basket, unknown, nothing)
    assert items.score(with_customer, 5).product.tolist() == items.score(without, 5).product.tolist()


@pytest.mark.parametrize("limit", [1, 3, 6])
def test_leaving_out_wide_categories_changes_no_list(limit: int) -> None:
    history = tiny_models.purchases(AS_OF)
    number = np.arange(len(history.products), dtype=np.int32)
    names = tuple(Ids([f"level {level} of {code}" for code in number]) for level in range(3))
    category = np.stack([number * 0, number // 6, number // 2], axis=1)
    items = Items(RecommendSettings()).fit(
        replace(history, catalog=replace(history.catalog, category=category, category_names=names))
    )
    unknown, nothing = np.full(len(number), -1, np.int32), np.empty(0, np.int32)
    excluded = tuple(np.unique([code, (code + 1) % len(number)]).astype(np.int32) for code in number)
    for allowed in (None, number % 3 != 0):
        queries = Queries(unknown, unknown, unknown, (nothing,) * len(number), number, excluded, allowed)
        few, every = items.score(queries, limit), items.score(queries, 10_000).top(limit)
        assert few.query.tolist() == every.query.tolist()
        assert few.product.tolist() == every.product.tolist()
        assert few.score.tolist() == every.score.tolist()
