"""Metrics against answers worked out by hand."""

import numpy as np
import pytest

from models.contracts import ranked
from training.recommend_metrics import (
    bootstrap_intervals,
    hit_at,
    hit_matrix,
    map_at,
    measure,
    ndcg_at,
    recall_at,
)

HITS = np.array([[True, False, True], [False, False, False], [True, True, True]])
TRUTH = np.array([4, 1, 3], np.int32)


def test_recall_divides_by_the_whole_truth_even_beyond_k() -> None:
    assert recall_at(HITS, TRUTH).tolist() == [0.5, 0.0, 1.0]


def test_ndcg_compares_with_a_list_that_begins_with_the_truth() -> None:
    gain = [1, 1 / np.log2(3), 0.5]
    assert ndcg_at(HITS, TRUTH) == pytest.approx([(gain[0] + gain[2]) / sum(gain), 0, 1])
    assert ndcg_at(np.array([[False, True, False]]), np.array([1])) == pytest.approx([1 / np.log2(3)])


def test_map_sums_precision_at_hits_over_what_could_be_hit() -> None:
    assert map_at(HITS, TRUTH) == pytest.approx([(1 + 2 / 3) / 3, 0, 1])


def test_hit_is_whether_anything_was_found() -> None:
    assert hit_at(HITS, TRUTH).tolist() == [1.0, 0.0, 1.0]


def test_the_names_of_the_metrics_carry_their_k() -> None:
    assert list(measure(HITS, TRUTH)) == ["recall@3", "ndcg@3", "hit@3", "map@3"]


def test_hits_are_marked_at_their_place_in_the_list() -> None:
    lists = ranked(np.array([0, 0, 1, 2, 2, 2]), np.array([5, 3, 3, 1, 2, 4]), np.array([1.0, 2, 1, 3, 2, 1]))
    truth_query, truth_product = np.array([0, 2, 2], np.int32), np.array([5, 4, 1], np.int32)
    hits = hit_matrix(lists, truth_query, truth_product, 4, 2, 10)
    assert hits.tolist() == [[False, True], [False, False], [True, False], [False, False]]


def test_intervals_hold_the_mean_and_shrink_with_customers() -> None:
    random = np.random.default_rng(0)
    few, many = random.random((20, 2)), random.random((2000, 2))
    low, high = bootstrap_intervals(few, seed=1)
    assert ((low < few.mean(axis=0)) & (few.mean(axis=0) < high)).all()
    narrow_low, narrow_high = bootstrap_intervals(many, seed=1)
    assert ((narrow_high - narrow_low) < (high - low) / 4).all()
    assert narrow_high - narrow_low == pytest.approx(2 * 1.96 * many.std(axis=0) / np.sqrt(2000), rel=0.15)


def test_one_seed_gives_one_interval() -> None:
    values = np.random.default_rng(0).random((50, 1))
    assert bootstrap_intervals(values, seed=3)[0] == bootstrap_intervals(values, seed=3)[0]
    assert bootstrap_intervals(values, seed=3)[0] != bootstrap_intervals(values, seed=4)[0]
