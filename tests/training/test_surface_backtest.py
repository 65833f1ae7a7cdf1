"""Backtest of the surfaces: what is asked is hidden from the history, and a known answer gets the known figure."""

from datetime import date

import numpy as np
import pytest

from features.history import Purchases, day_number
from models.contracts import ranked
from models.settings import RecommendSettings
from tests.fixtures import tiny_models
from training.surface_backtest import surface_figures
from training.surface_baskets import held_out
from training.surface_week import Week, gains, places_of

SETTINGS = RecommendSettings(label_windows=2, candidates=20)
CUTOFF = date(2024, 4, 29)


def load(day: date) -> Purchases:
    return tiny_models.purchases(day)


@pytest.fixture(scope="module")
def week() -> Week:
    return Week.of(load, CUTOFF)


def test_the_history_ends_before_the_week(week: Week) -> None:
    assert week.history.day.max() < day_number(CUTOFF)
    days = week.window.day[week.rows]
    assert (days.min(), days.max()) == (day_number(CUTOFF), day_number(CUTOFF) + 6)


def test_one_product_of_each_basket_is_out_and_the_others_are_in(week: Week) -> None:
    queries, truth = held_out(week, 7)
    orders, sizes = np.unique(week.window.order[week.rows], return_counts=True)
    assert len(queries) == (sizes >= 3).sum() > 10
    assert all(out not in basket for out, basket in zip(truth.tolist(), queries.basket, strict=True))
    whole = sorted(tuple(sorted([*basket.tolist(), out])) for basket, out in
                   zip(queries.basket, truth.tolist(), strict=True))  # fmt: skip
    rows = week.rows
    product = week.column("product", rows)
    held = sorted(tuple(sorted(product[week.window.order[rows] == order].tolist())) for order in orders[sizes >= 3])
    assert whole == held


def test_the_same_seed_holds_out_the_same(week: Week) -> None:
    assert held_out(week, 7)[1].tolist() == held_out(week, 7)[1].tolist()
    assert held_out(week, 7)[1].tolist() != held_out(week, 8)[1].tolist()


def test_places_and_gains_of_one_true_product() -> None:
    query, product = np.array([0, 0, 0, 1], np.int32), np.array([4, 5, 6, 4], np.int32)
    answer = ranked(query, product, np.array([3.0, 2.0, 1.0, 1.0]))
    place = places_of(answer, np.array([5, 9], np.int32))
    assert place.tolist() == [1, -1]
    assert gains(place)["hit@10"].tolist() == [1, 0]
    assert gains(place)["ndcg@10"] == pytest.approx([1 / np.log2(3), 0])


def test_every_surface_has_its_figures_and_its_table() -> None:
    figures, text = surface_figures(load, [CUTOFF], SETTINGS)
    methods = {name: {row["method"] for row in figures[name]} for name in figures if name != "weeks"}
    assert methods == {
        "with-basket": {"items", "popular", "personal", "with_basket"},
        "similar": {"substitutes", "items", "popular of the category here"},
        "trending": {"trending", "popular", "random"},
        "strangers": {"popular with back-off", "popular everywhere"},
    }
    for name in methods:
        assert all(0 <= row["mean"] <= 1 and row["low"] <= row["mean"] <= row["high"] for row in figures[name])
        assert f"**{name}.**" in text
    assert figures["weeks"] == ["2024-04-29"]
