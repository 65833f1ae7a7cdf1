"""A sample of a history holds whole customers, and the same ones each time."""

import numpy as np

from tests.fixtures import tiny_models


def test_customers_are_kept_whole_and_about_so_many() -> None:
    history = tiny_models.purchases()
    thin = history.thinned(0.5)
    assert 0.3 < len(thin.customers) / len(history.customers) < 0.7
    for code, name in enumerate(thin.customers):
        before = history.customer == history.customers.code(name)
        assert (thin.customer == code).sum() == before.sum()
        assert [thin.products[one] for one in thin.product[thin.customer == code].tolist()] \
            == [history.products[one] for one in history.product[before].tolist()]  # fmt: skip
    nameless = len(np.unique(history.order[history.customer < 0]))
    assert 0.3 < len(np.unique(thin.order[thin.customer < 0])) / nameless < 0.7
    assert list(history.thinned(0.5).customers) == list(thin.customers)


def test_the_whole_share_is_the_history_itself() -> None:
    history = tiny_models.purchases()
    assert list(history.thinned(1.0).customers) == list(history.customers)
    np.testing.assert_array_equal(history.thinned(1.0).day, history.day)
