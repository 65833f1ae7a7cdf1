"""What goes into a basket: pairs planted in a history are found, for customers and for guests, from the past alone."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.history import Purchases
from models.basket_links import BasketLinks
from models.co_purchase import count_together
from models.contracts import Queries, Scored
from models.reasons import BoughtBefore, BoughtTogether
from models.settings import RecommendSettings
from models.with_basket import WithBasket, hide
from tests.fixtures import tiny_models
from tests.fixtures.hand_history import START, history

SETTINGS = RecommendSettings()
KINDS = 8


def planted(as_of: int = 120) -> Purchases:
    """Dish k is always bought with sauce k; each customer cooks every dish in turn, one a day."""
    bought = {}
    for customer in range(24):
        for kind in range(KINDS):
            days = [day for day in range(0, 130, 2) if (day // 2 + 3 * customer) % KINDS == kind]
            bought[f"c{customer:02d}", f"dish {kind}"] = days
            bought[f"c{customer:02d}", f"sauce {kind}"] = days
    return history(bought, as_of)


@pytest.fixture(scope="module")
def shop() -> Purchases:
    return planted()


@pytest.fixture(scope="module")
def fitted(shop: Purchases) -> WithBasket:
    return WithBasket(SETTINGS).fit(shop)


def asking(customer: list[int], baskets: list[list[int]]) -> Queries:
    unknown, held = np.full(len(baskets), -1, np.int32), tuple(np.array(basket, np.int32) for basket in baskets)
    return Queries(np.array(customer, np.int32), unknown, unknown, held, unknown, held)


def same(one: Scored, other: Scored) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("query", "product", "score"))


@pytest.mark.parametrize("customer", [0, 17, -1])
def test_the_sauce_of_a_dish_comes_first(customer: int, shop: Purchases, fitted: WithBasket) -> None:
    assert fitted.chance is not None
    for kind in range(KINDS):
        dish, sauce = shop.products.code(f"dish {kind}"), shop.products.code(f"sauce {kind}")
        scored = fitted.score(asking([customer], [[dish]]), 3)
        assert scored.product[0] == sauce
        assert dish not in scored.product


def test_a_basket_without_a_known_product_gets_nothing(fitted: WithBasket) -> None:
    scored = fitted.score(asking([0, 1], [[], [2]]), 5)
    assert set(scored.query.tolist()) == {1}


def test_the_same_answer_comes_alone_and_among_others(fitted: WithBasket) -> None:
    together = fitted.score(asking([0, -1, 5], [[1], [2, 3], [4]]), 4)
    for number, (customer, basket) in enumerate(((0, [1]), (-1, [2, 3]), (5, [4]))):
        alone = fitted.score(asking([customer], [basket]), 4)
        assert alone.product.tolist() == together.product[together.query == number].tolist()


def test_a_reason_names_the_product_of_the_basket_or_the_own_orders(shop: Purchases, fitted: WithBasket) -> None:
    queries = asking([3], [[shop.products.code("dish 2")]])
    scored = fitted.score(queries, KINDS)
    sources, reasons = fitted.said(queries, scored)
    together = int((shop.product == shop.products.code("dish 2")).sum())
    assert sources[0] == "items"
    assert reasons[0] == BoughtTogether("dish 2", "dish 2", together, "basket")
    assert {type(reason) for reason in reasons[1:]} == {BoughtBefore}


def test_fitting_again_and_opening_change_nothing(shop: Purchases, fitted: WithBasket, tmp_path: Path) -> None:
    queries = asking([0, -1, 7], [[1], [2, 3], [4]])
    fitted.save(tmp_path)
    whole = fitted.score(queries, 9)
    assert same(WithBasket(SETTINGS).fit(shop).score(queries, 9), whole)
    assert same(WithBasket.open(tmp_path, shop).score(queries, 9), whole)


def test_rows_after_as_of_are_never_read() -> None:
    longer, shorter = planted(119).until(START + timedelta(days=90)), planted(90)
    queries = asking([0, -1], [[1], [2, 3]])
    one, other = (WithBasket(SETTINGS).fit(rows).score(queries, 9) for rows in (longer, shorter))
    assert same(one, other)


def test_baskets_to_learn_from_hide_products_and_show_the_rest(shop: Purchases) -> None:
    before = shop.until(shop.as_of - timedelta(days=14))
    lesson, products = hide(shop, before, 7), len(before.products)
    late = shop.day > shop.day.max() - 14
    baskets = {tuple(sorted(shop.product[shop.order == order])) for order in np.unique(shop.order[late])}
    queries = lesson.queries
    assert (queries.customer[: len(queries) // 2] >= 0).all()
    assert (queries.customer[len(queries) // 2 :] == -1).all()
    for number, basket in enumerate(queries.basket):
        hidden = lesson.hidden[lesson.hidden // products == number] % products
        assert len(hidden) >= 1
        assert not set(hidden) & set(basket.tolist())
        assert tuple(sorted([*hidden, *basket])) in baskets


def test_links_are_counted_over_the_basket() -> None:
    bought = {("a", "x"): range(0, 60, 2), ("a", "y"): range(0, 60, 2), ("b", "z"): range(0, 60, 3),
              ("b", "y"): range(0, 60, 3)}  # fmt: skip
    shop = history(bought, 60)
    shared, orders = count_together(shop, 60.0), int(shop.order.max()) + 1
    links = BasketLinks.of(shared, asking([-1], [[0, 2]]), orders)
    y = links.find(np.zeros(1, np.int32), np.array([1], np.int32))[0]
    assert links.count[y] == 2
    assert links.together[y] == 30
    assert links.lift[y] == pytest.approx(np.log(30 * orders / (30 * 50)))
    assert links.total[y] == pytest.approx(shared.similarity[shared.neighbour == 1].sum())
    assert links.find(np.zeros(1, np.int32), np.array([0], np.int32))[0] == -1


def test_a_history_without_customers_is_learnt_from_too() -> None:
    named = planted()
    nameless = {(None, f"{what} {kind}"): [(day, 1.0) for day in range(kind, 120, KINDS)]
                for kind in range(KINDS) for what in ("dish", "sauce")}  # fmt: skip
    shop = history(nameless, 120)
    assert len(shop.customers) == 0 < len(named.customers)
    made = WithBasket(SETTINGS).fit(shop)
    scored = made.score(asking([-1], [[shop.products.code("dish 4")]]), 1)
    assert shop.products[int(scored.product[0])] == "sauce 4"


def test_a_few_days_of_history_rank_by_similarity() -> None:
    short = tiny_models.purchases(date(2024, 1, 10))
    made = WithBasket(SETTINGS).fit(short)
    assert made.chance is None
    assert len(made.score(asking([0], [[3]]), 5).query) > 0
