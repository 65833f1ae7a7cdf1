"""Surfaces answer everyone, fill up from named fallbacks, and say nothing that the history does not."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.errors import BundleError, HistoryError
from features.history import purchases_from
from features.tables import RECOMMENDATIONS
from models.contracts import Queries, Query, Scored
from models.popular import Popular
from models.reasons import LANGUAGES
from models.settings import RecommendSettings
from models.surfaces import SURFACES, Surface, Surfaces, recommendation_table
from tests.fixtures import tiny_models

AS_OF = date(2024, 5, 5)
SETTINGS = RecommendSettings(label_windows=2, candidates=20)
QUERIES = (
    Query("c01"),
    Query("c02", location_id="s2", basket=("p03", "no such product")),
    Query("nobody", location_id="s1"),
    Query(location_id="no such shop", channel="no such channel"),
    Query("c03", product_id="p05"),
    Query(product_id="no such product", basket=("p07", "p02")),
    Query("c04", excluded=("p04", "p07", "no such product")),
)
NAMED = {"own", "items", "category", "popular", "popular-here", "promoted", "trending", "trending-here"}


@pytest.fixture(scope="module")
def surfaces() -> Surfaces:
    return Surfaces.fit(tiny_models.purchases(AS_OF), SETTINGS)


def said(query: Query) -> set[str]:
    return {*query.basket, *query.excluded, *([query.product_id] if query.product_id else [])}


@pytest.mark.parametrize("surface", SURFACES)
def test_every_query_gets_a_full_list_without_repeats(surface: Surface, surfaces: Surfaces) -> None:
    for query, items in zip(QUERIES, surfaces.answer(surface, QUERIES, 8), strict=True):
        names = [item.product_id for item in items]
        assert len(names) == len(set(names)) == 8
        assert not said(query) & set(names)
        assert all(item.source in NAMED and item.reason for item in items)
        scores = [item.score for item in items]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_limit_beyond_the_catalogue_gives_the_catalogue(surface: Surface, surfaces: Surfaces) -> None:
    known = set(surfaces.purchases.products)
    for query, items in zip(QUERIES, surfaces.answer(surface, QUERIES, 500), strict=True):
        assert {item.product_id for item in items} == known - said(query)


@pytest.mark.parametrize("surface", SURFACES)
def test_only_allowed_products_are_named(surface: Surface, surfaces: Surfaces) -> None:
    allowed = np.zeros(len(surfaces.purchases.products), bool)
    allowed[[1, 6, 8]] = True
    for query, items in zip(QUERIES, surfaces.answer(surface, QUERIES, 10, allowed), strict=True):
        assert {item.product_id for item in items} == {"p01", "p06", "p08"} - said(query)


@pytest.mark.parametrize("surface", SURFACES)
def test_opening_a_saved_folder_keeps_every_answer(surface: Surface, surfaces: Surfaces, tmp_path: Path) -> None:
    surfaces.save(tmp_path)
    opened = Surfaces.open(tmp_path)
    assert opened.answer(surface, QUERIES, 12) == surfaces.answer(surface, QUERIES, 12)
    assert opened.notes == surfaces.notes == []
    assert opened.settings == surfaces.settings


@pytest.mark.parametrize("surface", SURFACES)
def test_asking_alone_and_in_a_crowd_gives_the_same_products(surface: Surface, surfaces: Surfaces) -> None:
    together = surfaces.answer(surface, QUERIES, 6)
    alone = [surfaces.answer(surface, [query], 6)[0] for query in QUERIES]
    assert [[item.product_id for item in items] for items in together] == [
        [item.product_id for item in items] for items in alone
    ]


def test_rows_after_as_of_change_no_answer() -> None:
    table, early = tiny_models.history_table(days=140), date(2024, 4, 14)
    cut = table.filter(pc.less_equal(table["day"], pa.scalar(early, pa.date32())))
    answers = [
        Surfaces.fit(purchases_from(rows, early, tiny_models.catalog_table()), SETTINGS).answer("for-you", QUERIES, 9)
        for rows in (table, cut)
    ]
    assert answers[0] == answers[1]


def test_a_basket_is_answered_with_what_it_is_bought_with(surfaces: Surfaces) -> None:
    """Customer 2 lives on p02 and p17, which nobody else pairs so often."""
    item = surfaces.answer("with-basket", [Query(basket=("p17",))], 1)[0][0]
    table = tiny_models.history_table().to_pandas()
    table = table[table["day"] <= AS_OF]
    baskets = table.groupby("order_id")["product_id"].agg(set)
    partners = pd.Series([p for basket in baskets if "p17" in basket for p in basket - {"p17"}]).value_counts()
    assert item.source == "items"
    assert item.product_id in set(partners.head(3).index)
    assert item.reason.text() == f"often bought with Product 17: in {partners[item.product_id]} baskets"


def test_substitutes_come_from_the_anchors_category(surfaces: Surfaces) -> None:
    items = surfaces.answer("similar", [Query(product_id="p05")], 5)[0]
    assert {int(item.product_id[1:]) % 4 for item in items} == {1}
    assert {item.source for item in items} == {"category"}


def test_an_opted_out_customer_is_answered_as_a_stranger() -> None:
    history = tiny_models.purchases(AS_OF)
    settings = SETTINGS.model_copy(update={"recommender": "personal"})
    made = Surfaces.fit(history, settings, opted_out=["c01"])
    known, stranger = made.answer("for-you", [Query("c01", "s0"), Query(None, "s0")], 5)
    assert known == stranger
    assert made.answer("for-you", [Query("c02", "s0")], 1)[0][0].source == "own"


def test_a_history_without_customers_still_answers_and_notes_why() -> None:
    table = tiny_models.history_table()
    nameless = table.set_column(2, "account_id", pa.nulls(len(table), pa.string()))
    made = Surfaces.fit(purchases_from(nameless, AS_OF), SETTINGS)
    assert "for-you is answered by personal instead of ranker" in made.notes[0]
    for surface in SURFACES:
        assert [len(items) for items in made.answer(surface, QUERIES, 5)] == [5] * len(QUERIES)
    assert recommendation_table(made, "for-you", 5).num_rows == 0


def test_one_day_of_history_answers_with_what_was_sold() -> None:
    made = Surfaces.fit(tiny_models.purchases(date(2024, 1, 1)), SETTINGS)
    assert made.notes
    items = made.answer("for-you", [Query("c06")], 50)[0]
    assert {item.product_id for item in items} == set(made.purchases.products)


def test_a_short_history_is_learnt_from_in_fewer_windows_and_noted() -> None:
    made = Surfaces.fit(tiny_models.purchases(date(2024, 1, 25)), SETTINGS.model_copy(update={"label_windows": 6}))
    assert re.match(r"the ranker learnt from [1-3] of 6 windows", made.notes[0])


def test_no_purchase_at_all_is_an_error_with_its_remedy() -> None:
    with pytest.raises(HistoryError, match=r"no purchase up to 2023-01-01: ingest an earlier history"):
        Surfaces.fit(tiny_models.purchases(date(2023, 1, 1)), SETTINGS)


def test_a_folder_without_surfaces_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"surfaces\.json is missing or damaged"):
        Surfaces.open(tmp_path)


def test_the_export_holds_every_customer_in_order(surfaces: Surfaces) -> None:
    table = recommendation_table(surfaces, "for-you", 4)
    assert table.column_names == list(RECOMMENDATIONS.column_names)
    frame = table.to_pandas()
    assert list(frame["customer_id"].unique()) == surfaces.purchases.customers.values
    assert (frame.groupby("customer_id")["rank"].agg(list).map(lambda ranks: ranks == [1, 2, 3, 4])).all()
    served = surfaces.answer("for-you", [Query("c07")], 4)[0]
    assert list(frame[frame["customer_id"] == "c07"]["product_id"]) == [item.product_id for item in served]


def test_the_export_speaks_the_language_asked_for(surfaces: Surfaces) -> None:
    served = surfaces.answer("for-you", [Query("c07")], 4)[0]
    for language in LANGUAGES:
        frame = recommendation_table(surfaces, "for-you", 4, language=language).to_pandas()
        assert list(frame[frame["customer_id"] == "c07"]["reason"]) == [item.reason.text(language) for item in served]


def test_a_query_without_a_location_is_asked_at_the_usual_one(surfaces: Surfaces) -> None:
    coded = surfaces.coded([Query("c01"), Query("c01", location_id="s2"), replace(QUERIES[3])])
    assert coded.location.tolist() == [1, 2, -1]


class Unasked(Popular):
    def score(self, queries: Queries, limit: int) -> Scored:
        raise AssertionError(f"asked for {limit} more products although every list was full")


def test_no_further_model_is_asked_once_every_list_is_full(surfaces: Surfaces) -> None:
    limit = 2
    whole = {surface: surfaces.answer(surface, [Query("c01", product_id="p05")], limit) for surface in SURFACES}
    lazy = Surfaces()
    lazy.__dict__ |= surfaces.__dict__ | {"models": surfaces.models | {"popular": Unasked(SETTINGS)}}
    for surface, lists in whole.items():
        if not any(item.source.startswith("popular") for item in lists[0]):
            assert lazy.answer(surface, [Query("c01", product_id="p05")], limit) == lists
    with pytest.raises(AssertionError, match="asked for 2 more products"):
        lazy.answer("for-you", [Query("nobody")], limit)


def test_what_was_asked_before_changes_no_answer(surfaces: Surfaces) -> None:
    for surface in SURFACES:
        before = surfaces.answer(surface, QUERIES, 5)
        surfaces.answer(surface, QUERIES, 9, np.arange(len(surfaces.purchases.products)) % 2 == 0)
        surfaces.answer(surface, QUERIES, 400)
        assert surfaces.answer(surface, QUERIES, 5) == before


def test_a_list_is_mixed_as_the_settings_say(surfaces: Surfaces) -> None:
    lazy, history = Surfaces(), surfaces.purchases
    settings = SETTINGS.model_copy(update={"explore_share": 0.5, "most_per_category": 2})
    lazy.__dict__ |= surfaces.__dict__ | {"settings": settings}
    for name in ("c01", "c07", "c30"):
        bought = {history.products[code] for code in history.product[history.customer == history.customers.code(name)]}
        items = lazy.answer("for-you", [Query(name)], 6)[0]
        named = [item.product_id for item in items]
        assert len(set(named)) == 6
        assert sum(product not in bought for product in named) >= min(3, len(history.products) - len(bought))
        categories = [int(product[1:]) % 4 for product in named]
        assert max(categories.count(code) for code in range(4)) <= 2
        assert all(item.reason and item.source for item in items)
        scores = [item.score for item in items]
        assert scores == sorted(scores, reverse=True)
    assert lazy.answer("similar", QUERIES, 6) == surfaces.answer("similar", QUERIES, 6)
