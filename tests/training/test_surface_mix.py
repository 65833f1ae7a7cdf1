"""The trade-off of a list's mix: what more exploration and fewer of a category cost."""

from datetime import date

import pytest

from models.settings import RecommendSettings
from tests.fixtures import tiny_models
from training.surface_mix import EXPLORE_SHARES, MOST_PER_CATEGORY, mix_figures


@pytest.fixture(scope="module")
def found() -> dict[tuple[float, int], dict[str, float]]:
    rows, text = mix_figures(tiny_models.purchases, [date(2024, 4, 29)], RecommendSettings(recommender="personal"))
    assert len(text.splitlines()) == len(rows) + 2
    return {(row["explore_share"], row["most_per_category"]): row for row in rows}


def test_every_setting_of_the_grid_is_measured(found: dict[tuple[float, int], dict[str, float]]) -> None:
    assert set(found) == {(share, most) for share in EXPLORE_SHARES for most in MOST_PER_CATEGORY}


def test_a_share_for_the_new_is_given_to_the_new(found: dict[tuple[float, int], dict[str, float]]) -> None:
    shares = [found[share, 0]["new share"] for share in EXPLORE_SHARES]
    assert shares == sorted(shares)
    for share in (0.5, 0.7):
        assert found[share, 0]["new share"] >= share


def test_fewer_of_a_category_make_lists_more_diverse(found: dict[tuple[float, int], dict[str, float]]) -> None:
    assert found[0.0, 1]["diversity"] > found[0.0, 0]["diversity"]
    assert found[0.0, 1]["ndcg@10"] <= found[0.0, 0]["ndcg@10"]
