"""Choosing and ordering in arrays, against plain sorting."""

import numpy as np
import pytest

from models.contracts import Queries, ranked
from models.ranking import BestOfPlaces, Numbers, Place, admitted, best, one_after_another

NOTHING = np.empty(0, np.int32)


def test_ranked_is_by_query_then_falling_score_then_product() -> None:
    random = np.random.default_rng(0)
    query, product = random.integers(0, 30, 4000), random.permutation(4000)
    score = random.integers(-3, 4, 4000) / 4 * random.choice([1, 0], 4000)
    order = np.lexsort((product, -score, query))
    scored = ranked(query.astype(np.int32), product.astype(np.int32), score)
    assert scored.query.tolist() == query[order].tolist()
    assert scored.product.tolist() == product[order].tolist()
    assert scored.score.tolist() == score[order].tolist()


def test_nothing_is_ranked_as_nothing() -> None:
    assert len(ranked(NOTHING, NOTHING, np.empty(0)).query) == 0


def test_the_best_are_chosen_with_the_smallest_code_among_equals() -> None:
    assert best(np.array([1.0, 3, 2, 3, 2, 2]), 4).tolist() == [1, 3, 2, 4]
    assert best(np.array([-np.inf, 1, -np.inf]), 5).tolist() == [1]
    assert best(np.array([1.0]), 0).tolist() == []


def test_excluded_and_forbidden_products_are_not_admitted() -> None:
    unknown = np.full(2, -1, np.int32)
    queries = Queries(unknown, unknown, unknown, (NOTHING, NOTHING), unknown,
                      (np.array([2, -1], np.int32), NOTHING), np.array([True, True, True, False]))  # fmt: skip
    query, product = np.array([0, 0, 1, 1], np.int32), np.array([1, 2, 2, 3], np.int32)
    assert admitted(queries, query, product, 4).tolist() == [True, False, True, False]


def test_lists_are_filled_up_in_order_without_repeats_and_scores_never_rise() -> None:
    first = ranked(np.array([0, 0, 2]), np.array([5, 6, 5]), np.array([0.2, 0.1, 9.0]))
    second = ranked(np.array([0, 0, 1, 1]), np.array([6, 7, 7, 8]), np.array([50.0, 40.0, 3.0, 2.0]))
    third = ranked(np.array([0, 1, 2]), np.array([1, 1, 1]), np.array([70.0, 70.0, 70.0]))
    filled, origin = one_after_another([first, second, third], 10, 3)
    lists = {query: filled.product[filled.query == query].tolist() for query in range(3)}
    assert lists == {0: [5, 6, 7], 1: [7, 8, 1], 2: [5, 1]}
    assert origin.tolist() == [0, 0, 1, 1, 1, 2, 0, 2]
    for query in range(3):
        assert (np.diff(filled.score[filled.query == query]) < 0).all()
    assert filled.score[filled.query == 1][0] == pytest.approx(3.0)


def test_a_place_is_ranked_once_and_answers_as_if_ranked_anew() -> None:
    score = np.array([0.2, -np.inf, 0.7, 0.2, 0.9, 0.0])
    asked: list[Place] = []

    def scores(place: Place) -> Numbers:
        asked.append(place)
        return score

    kept = BestOfPlaces()
    for count in (2, 4, 1, 6):
        product, found = kept.at((3, -1), scores, count, None)
        assert product.tolist() == best(score, count).tolist()
        assert found.tolist() == score[product].tolist()
    assert asked == [(3, -1)]
    allowed = np.array([True, True, False, True, False, True])
    assert kept.at((3, -1), scores, 3, allowed)[0].tolist() == [0, 3, 5]
