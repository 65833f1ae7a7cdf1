"""What stands in for a product: switches planted in a history are found, and nothing else is called a switch."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.history import Purchases, day_number
from models.contracts import Queries, Scored
from models.reasons import SameCategory
from models.settings import RecommendSettings
from models.substitutes import Substitutes
from models.switches import find_switches
from tests.fixtures.hand_history import START, history

SETTINGS = RecommendSettings()
CATEGORY = {"oat": "milk", "soy": "milk", "cow": "milk", "goat": "milk", "rye": "bread", "wheat": "bread"}


def shop(as_of: int = 100) -> Purchases:
    """Everybody buys cow milk; ten customers move between oat and soy and none of these to cow or goat."""
    bought = {}
    for number in range(10):
        bought[f"a{number}", "oat"] = list(range(number, 110, 14))
        bought[f"a{number}", "soy"] = [day + 7 for day in range(number, 103, 14)]
        bought[f"a{number}", "rye"] = [5, 40]
    for number in range(30):
        bought[f"b{number}", "cow"] = list(range(number % 7, 110, 7))
        bought[f"b{number}", "wheat"] = [3]
    bought["b1", "goat"] = [90]
    return history(bought, as_of, CATEGORY)


def similar_to(purchases: Purchases, *products: str) -> Queries:
    anchor = purchases.products.codes(products)
    unknown, own = np.full(len(anchor), -1, np.int32), tuple(anchor[i : i + 1] for i in range(len(anchor)))
    return Queries(unknown, unknown, unknown, (np.empty(0, np.int32),) * len(anchor), anchor, own)


def names(purchases: Purchases, scored: Scored, query: int = 0) -> list[str]:
    return [purchases.products[int(code)] for code in scored.product[scored.query == query]]


def test_what_customers_switch_to_comes_before_what_everybody_buys() -> None:
    purchases = shop()
    scored = Substitutes(SETTINGS).fit(purchases).score(similar_to(purchases, "oat", "soy"), 3)
    assert names(purchases, scored, 0)[0] == "soy"
    assert names(purchases, scored, 1)[0] == "oat"
    assert set(names(purchases, scored, 0)) == {"soy", "cow", "goat"}


def test_a_product_that_nobody_left_is_answered_by_its_category() -> None:
    purchases = shop()
    made = Substitutes(SETTINGS).fit(purchases)
    queries = similar_to(purchases, "wheat")
    scored = made.score(queries, 3)
    assert names(purchases, scored) == ["rye"]
    assert made.reasons(queries, scored) == [SameCategory("bread", 20)]
    assert made.sources(queries, scored) == ["category"]


def test_an_unknown_anchor_and_a_history_without_categories_get_nothing() -> None:
    purchases = shop()
    made = Substitutes(SETTINGS).fit(purchases)
    assert len(made.score(similar_to(purchases, "no such product"), 3).query) == 0
    plain = history({("a", "x"): [1, 3], ("a", "y"): [2, 4]}, 10)
    assert len(Substitutes(SETTINGS).fit(plain).score(similar_to(plain, "x"), 3).query) == 0


def test_a_history_without_customers_is_answered_by_orders() -> None:
    nameless = history({(None, "oat"): [1], (None, "soy"): [2, 3], (None, "cow"): range(9)}, 10, CATEGORY)
    scored = Substitutes(SETTINGS).fit(nameless).score(similar_to(nameless, "oat"), 3)
    assert names(nameless, scored) == ["cow", "soy"]


def test_excluded_and_forbidden_products_are_never_named() -> None:
    purchases = shop()
    made, queries = Substitutes(SETTINGS).fit(purchases), similar_to(purchases, "oat")
    allowed = np.ones(len(purchases.products), bool)
    allowed[purchases.products.code("cow")] = False
    asked = Queries(queries.customer, queries.location, queries.channel, queries.basket, queries.anchor,
                    (purchases.products.codes(["oat", "soy"]),), allowed)  # fmt: skip
    assert names(purchases, made.score(asked, 5)) == ["goat"]


def test_saving_and_opening_keeps_every_answer(tmp_path: Path) -> None:
    purchases = shop()
    made, queries = Substitutes(SETTINGS).fit(purchases), similar_to(purchases, "oat", "rye", "cow")
    made.save(tmp_path)
    before, after = made.score(queries, 5), Substitutes.open(tmp_path, purchases).score(queries, 5)
    assert before.product.tolist() == after.product.tolist()
    assert before.score.tobytes() == after.score.tobytes()


def test_rows_after_as_of_are_never_read() -> None:
    longer, shorter = shop(109).until(START + timedelta(days=60)), shop(60)
    one, other = (
        Substitutes(SETTINGS).fit(rows).score(similar_to(rows, "oat", "cow"), 5) for rows in (longer, shorter)
    )
    assert one.product.tolist() == other.product.tolist()
    assert one.score.tobytes() == other.score.tobytes()


def test_a_switch_leaves_one_product_and_takes_another() -> None:
    purchases = history({
        ("a", "oat"): [1, 5], ("a", "soy"): [9], ("a", "rye"): [3],  # oat, oat, then soy
        ("b", "oat"): [1, 4], ("b", "cow"): [1], ("b", "goat"): [4], ("b", "soy"): [4],  # cow left, two taken
        ("c", "rye"): [1], ("c", "oat"): [2],  # another category
    }, 10, CATEGORY)  # fmt: skip
    found = find_switches(purchases)
    ids = purchases.products
    columns = (found.left.tolist(), found.taken.tolist(), found.day.tolist(), found.pairs.tolist())
    rows = {(ids[left], ids[taken], day - day_number(START), pairs) for left, taken, day, pairs in
            zip(*columns, strict=True)}  # fmt: skip
    assert rows == {("oat", "soy", 9, 1), ("cow", "goat", 4, 2), ("cow", "soy", 4, 2)}
    assert [purchases.customers[code] for code in found.customer] == ["a", "b", "b"]
    late = find_switches(purchases, day_number(START) + 4)
    assert late.day.tolist() == [day_number(START) + 9]


@pytest.mark.parametrize("bought", [{(None, "oat"): [1, 2]}, {("a", "oat"): [1]}])
def test_without_returns_there_are_no_switches(bought: dict[tuple[str | None, str], list[int]]) -> None:
    assert len(find_switches(history(bought, 10, CATEGORY))) == 0
