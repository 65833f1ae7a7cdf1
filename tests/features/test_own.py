"""What customers bought, counted from their own lines."""

from datetime import date

import numpy as np
import pytest

from features.customers import owned_of
from features.history import Purchases
from features.own import lines_of, own_things
from tests.fixtures import hand_history, tiny_models

AS_OF = date(2024, 5, 5)


@pytest.fixture(scope="module")
def history() -> Purchases:
    return tiny_models.purchases(AS_OF)


def test_it_agrees_with_the_statistics_of_the_whole_history(history: Purchases) -> None:
    everyone, products = np.arange(len(history.customers), dtype=np.int32), len(history.products)
    own = own_things(lines_of(history, everyone), np.arange(products, dtype=np.int32), products, [60.0, 15.0])
    owned = owned_of(history, 60.0)
    np.testing.assert_array_equal(own.thing, owned.product)
    np.testing.assert_array_equal(own.baskets, owned.baskets)
    np.testing.assert_array_equal(own.last_day, owned.last_day)
    np.testing.assert_array_equal(own.orders_after, owned.orders_since)
    np.testing.assert_allclose(own.decayed, np.stack([owned.decayed, owned.recent], axis=1), rtol=1e-6)
    np.testing.assert_allclose(own.gap_spread, owned.gap_spread(), atol=0.02)


def test_a_product_bought_on_known_days_has_its_gaps_and_orders() -> None:
    history = hand_history.history({("ann", "milk"): [70, 80, 96], ("ann", "bread"): [100]}, as_of=100)
    own = own_things(lines_of(history, np.array([0, -1], np.int32)), np.array([-1, 0], np.int32), 1, [10.0])
    assert own.position.tolist() == [0]
    assert (own.baskets.tolist(), own.days.tolist(), own.orders_after.tolist()) == ([3], [3], [1])
    assert own.orders_known.tolist() == [4]
    assert own.last_gap.tolist() == [16]
    assert own.mean_gap.tolist() == [13]
    assert own.gap_spread.tolist() == [3]
    assert own.decayed[0, 0] == pytest.approx(2**-3 + 2**-2 + 2**-0.4)
    assert own.in_recent.tolist() == [[2, 3]]
    assert own.find(np.array([0, 0, 1]), np.array([0, -1, 0])).tolist() == [0, -1, -1]


def test_who_is_unknown_has_no_lines(history: Purchases) -> None:
    lines = lines_of(history, np.array([-1, -1], np.int32))
    assert len(lines.row) == 0
    assert len(own_things(lines, np.zeros(len(history.products), np.int32), 1, [60.0])) == 0
