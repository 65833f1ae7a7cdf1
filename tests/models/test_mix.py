"""The mix of a list: untouched by default, and as the settings say where the entries suffice."""

import numpy as np
import pytest

from models.contracts import Scored
from models.mix import mixed, mixes
from models.settings import RecommendSettings

OWN, NEW = False, True


def shown(new: list[bool], category: list[int], limit: int, **settings: float) -> list[int]:
    """Which entries of one list are shown."""
    count = len(new)
    scored = Scored(np.zeros(count, np.int32), np.arange(count, dtype=np.int32), -np.arange(count, dtype=np.float32))
    keep = mixed(scored, np.array(new), np.array(category, np.int32), limit, RecommendSettings(**settings))
    return np.flatnonzero(keep).tolist()


def test_the_default_leaves_the_order_of_the_model() -> None:
    assert not mixes(RecommendSettings())
    assert shown([OWN] * 4 + [NEW], [1] * 5, 3) == [0, 1, 2]


def test_a_share_of_the_list_is_new_and_the_rest_the_best() -> None:
    new = [OWN, OWN, OWN, OWN, NEW, OWN, NEW, NEW]
    assert shown(new, [-1] * 8, 4, explore_share=0.5) == [0, 1, 4, 6]
    assert shown(new, [-1] * 8, 4, explore_share=0.3) == [0, 1, 4, 6]
    assert shown(new, [-1] * 8, 4, explore_share=0.25) == [0, 1, 2, 4]


def test_what_is_new_anyway_counts() -> None:
    assert shown([NEW, NEW, OWN, OWN, NEW], [-1] * 5, 4, explore_share=0.5) == [0, 1, 2, 3]


def test_a_category_has_no_more_than_its_places() -> None:
    assert shown([OWN] * 6, [1, 1, 1, 2, 2, 3], 4, most_per_category=1) == [0, 1, 3, 5]
    assert shown([OWN] * 6, [1, 1, 1, 2, 2, 3], 4, most_per_category=2) == [0, 1, 3, 4]


def test_products_without_a_category_are_not_held_together() -> None:
    assert shown([OWN] * 4, [-1] * 4, 3, most_per_category=1) == [0, 1, 2]


def test_a_list_is_filled_where_the_rules_cannot_be_kept() -> None:
    assert shown([OWN] * 4, [1] * 4, 3, explore_share=1.0, most_per_category=1) == [0, 1, 2]


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_every_query_is_mixed_by_itself(limit: int) -> None:
    query = np.repeat(np.array([0, 2, 5], np.int32), 6)
    scored = Scored(query, np.tile(np.arange(6, dtype=np.int32), 3), np.zeros(18, np.float32))
    new, category = np.tile([OWN, OWN, NEW, OWN, NEW, NEW], 3), np.tile(np.array([1, 1, 2, 2, 3, 3], np.int32), 3)
    settings = RecommendSettings(explore_share=0.4, most_per_category=1)
    together = mixed(scored, new, category, limit, settings)
    assert (np.bincount(query[together])[[0, 2, 5]] == min(limit, 6)).all()
    assert np.array_equal(together[:6], together[6:12])
    assert np.array_equal(together[:6], together[12:])


def test_an_empty_answer_stays_empty() -> None:
    assert shown([], [], 5, explore_share=0.5) == []
