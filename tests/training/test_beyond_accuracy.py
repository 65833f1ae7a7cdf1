"""Figures of lists whose answer can be counted by hand."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from features.history import Purchases
from models.contracts import Scored
from tests.fixtures.hand_history import START, history
from training.beyond_accuracy import Shelf, diversity, gini, list_figures, overlap


def codes(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def shop() -> Purchases:
    """Four customers; a is bought by all, b by two, c by one, d by one in the last weeks only."""
    bought = {(f"c{number}", "a"): [1, 2, 3] for number in range(4)}
    bought |= {("c0", "b"): [4], ("c1", "b"): [4], ("c2", "c"): [5], ("c3", "d"): [190]}
    return history(bought, 200, {"a": "food", "b": "food", "c": "care", "d": "care"})


def test_novelty_is_in_bits_of_the_share_of_customers() -> None:
    assert Shelf.of(shop()).novelty.tolist() == [0, 1, 2, 2]


def test_what_was_first_sold_within_28_days_is_new() -> None:
    assert Shelf.of(shop()).new.tolist() == [False, False, False, True]
    assert not Shelf.of(replace(shop(), as_of=START + timedelta(days=218))).new.any()


def test_the_most_popular_hundredth_is_at_least_one_product() -> None:
    shelf = Shelf.of(shop())
    assert shelf.popular.tolist() == [True, False, False, False]
    assert list_figures(codes(0, 0, 1, 1), codes(0, 1, 0, 2), shelf)["top_share"] == 0.5


def test_coverage_is_of_all_products_sold_so_far() -> None:
    assert list_figures(codes(0, 0, 1), codes(0, 1, 0), Shelf.of(shop()))["coverage"] == 0.5


def test_the_brands_of_the_last_fifth_of_sales_are_small() -> None:
    plain = shop()
    catalog = replace(plain.catalog, brand=codes(0, 1, 2, -1), brands=replace_ids("big", "middle", "tiny"))
    amount = np.array([70.0 / 12, 14, 16, 3], np.float32)[plain.product]
    amount[plain.product == 1] = 7
    shelf = Shelf.of(replace(plain, catalog=catalog, amount=amount))
    assert shelf.small is not None
    # 70, 14 and 16: before the smallest (middle) come 86, before tiny 70 of 100
    assert shelf.small.tolist() == [False, True, False, False]


def replace_ids(*values: str):
    from features.history import Ids

    return Ids(values)


def test_two_of_one_kind_are_at_distance_0_and_two_departments_at_1() -> None:
    category = codes(0, 0, 0, 1, 1, 2, -1, -1).reshape(4, 2)  # (0,0) (0,1) (1,2) and an unknown one
    assert diversity(codes(0, 0), codes(0, 0), category) == 0
    assert diversity(codes(0, 0), codes(0, 1), category) == 0.5
    assert diversity(codes(0, 0), codes(0, 2), category) == 1
    assert diversity(codes(0, 0), codes(3, 3), category) == 1
    assert diversity(codes(0, 0, 1, 1, 2), codes(0, 1, 0, 2, 3), category) == 0.75


def test_without_categories_there_is_no_diversity() -> None:
    assert np.isnan(diversity(codes(0, 0), codes(0, 1), np.zeros((4, 0), np.int32)))


def test_gini_is_0_where_all_are_shown_alike() -> None:
    assert gini(np.ones(7)) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 0, 5.0])) == pytest.approx(0.8)


def test_overlap_is_the_share_of_the_first_places_that_stayed() -> None:
    one = Scored(codes(0, 0, 1, 1), codes(3, 4, 5, 6), np.array([2, 1, 2, 1], np.float32))
    other = Scored(codes(0, 0, 2), codes(4, 7, 5), np.array([2, 1, 2], np.float32))
    assert overlap(one, other, 10, 2).tolist() == [0.5]
    assert overlap(one, one, 10, 2).tolist() == [1, 1]
    assert overlap(one, other, 10, 1).tolist() == [0]


def test_no_exposures_have_no_figures() -> None:
    assert all(np.isnan(value) for value in list_figures(codes(), codes(), Shelf.of(shop())).values())
