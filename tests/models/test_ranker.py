"""The ranker learns only from before, and sees of one query what it sees of many."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from features.history import Purchases, day_number
from models.candidates import DEPTH, MODELS, SOURCES, Sources
from models.contracts import Queries, Scored
from models.ranker import PARTS, Ranker
from models.ranker_features import COLUMNS, RankerFeatures
from models.reasons import OnPromotion
from models.repurchase import Repurchase
from models.settings import RecommendSettings
from tests.fixtures import tiny_models

AS_OF = date(2024, 5, 5)
SETTINGS = RecommendSettings(label_windows=2, candidates=20)


@pytest.fixture(scope="module")
def history() -> Purchases:
    return tiny_models.purchases(AS_OF)


@pytest.fixture(scope="module")
def ranker(history: Purchases) -> Ranker:
    return Ranker(SETTINGS).fit(history)


def everyone(history: Purchases) -> Queries:
    return Queries.of_customers(np.arange(len(history.customers), dtype=np.int32))


def at_home(ranker: Ranker, queries: Queries) -> Queries:
    [(_, located)] = ranker._chunks(queries)
    return located


def test_windows_end_where_the_next_begins_and_never_reach_past_as_of(ranker: Ranker) -> None:
    assert [window.origin for window in ranker.windows] == ["2024-04-28", "2024-04-21"]
    for window in ranker.windows:
        assert 0.8 < window.candidate_recall <= 1
        assert window.rows >= window.hits > 0


def test_the_score_is_a_chance_that_comes_true_about_as_often_as_it_says(history: Purchases) -> None:
    ranker = Ranker(replace_candidates(24)).fit(history.until(date(2024, 4, 28)))
    scored = ranker.score(everyone(history), 24)
    assert ((scored.score >= 0) & (scored.score <= 1)).all()
    after = history.day > day_number(date(2024, 4, 28))
    bought = np.unique(history.customer[after].astype(np.int64) * 24 + history.product[after])
    active = np.isin(scored.query, np.unique(history.customer[after]))
    hits = np.isin(scored.query.astype(np.int64) * 24 + scored.product, bought)[active].sum()
    assert 0.8 < scored.score[active].sum() / hits < 1.25


def replace_candidates(count: int) -> RecommendSettings:
    return SETTINGS.model_copy(update={"candidates": count})


def test_candidates_stay_within_the_limit_and_name_each_product_once(ranker: Ranker, history: Purchases) -> None:
    found = ranker.candidates(everyone(history))
    assert np.bincount(found.query).max() == 20
    assert (np.diff(found.query.astype(np.int64) * 24 + found.product) > 0).all()
    assert found.score.shape == (len(found), len(MODELS))
    assert (found.source > 0).all()
    assert (found.source < 1 << len(SOURCES)).all()


def test_the_staples_are_among_the_candidates_as_own_products(ranker: Ranker, history: Purchases) -> None:
    found = ranker.candidates(Queries.of_customers(np.array([5], np.int32)))
    staples = [history.products.code(f"p{product:02d}") for product in (5, 38 % 24)]
    own = found.product[(found.source >> SOURCES.index("own")) & 1 == 1]
    assert np.isin(staples, own).all()


def test_what_is_promoted_next_week_is_proposed_where_it_is_promoted(history: Purchases) -> None:
    sources = Sources.fit(history, SETTINGS)
    queries = Queries.of_customers(np.array([5, 5], np.int32), np.array([0, 1], np.int32))
    pool = sources.pool(sources.known(queries))
    promoted = pool.product[(pool.source >> SOURCES.index("promoted")) & 1 == 1]
    assert promoted.tolist() == [history.products.code("p18")]
    assert pool.query[(pool.source >> SOURCES.index("promoted")) & 1 == 1].tolist() == [0]


def test_excluded_products_leave_their_places_to_others(ranker: Ranker, history: Purchases) -> None:
    asked = Queries.of_customers(np.array([5], np.int32))
    before = ranker.score(asked, 5)
    without = ranker.score(replace(asked, excluded=(before.product[:2],)), 5)
    assert len(without.query) == 5
    assert not np.isin(before.product[:2], without.product).any()


def test_a_source_that_cannot_learn_is_left_out() -> None:
    history = tiny_models.purchases(date(2024, 1, 1))
    sources = Sources.fit(history, SETTINGS)
    assert "als" not in sources.models
    pool = sources.pool(sources.known(Queries.of_customers(np.array([0], np.int32))))
    assert np.isnan(pool.score[:, list(MODELS).index("als")]).all()
    assert len(pool) >= 1


def test_a_promotion_is_told_only_at_its_shop_and_while_it_holds(ranker: Ranker, history: Purchases) -> None:
    product = history.products.code("p18")
    nobody = Queries.of_customers(np.array([-1, -1], np.int32), np.array([0, 1], np.int32))
    asked = Scored(np.array([0, 1], np.int32), np.array([product] * 2, np.int32), np.zeros(2, np.float32))
    told = ranker.reasons(nobody, asked)
    assert told[0] == OnPromotion(date(2024, 5, 12))
    assert not isinstance(told[1], OnPromotion)


def test_each_feature_stands_in_its_named_column(history: Purchases) -> None:
    sources = Sources.fit(history, SETTINGS)
    features = RankerFeatures.fit(history, SETTINGS, Repurchase.fit(history))
    known = sources.known(Queries.of_customers(np.array([7], np.int32), np.array([1], np.int32)))
    found = sources.gather(known, 20)
    matrix = features.matrix(known, sources, found)
    assert matrix.shape == (len(found), len(COLUMNS))
    today, mine = day_number(AS_OF), history.customer == 7
    for row, product in enumerate(found.product.tolist()):
        facts = dict(zip(COLUMNS, matrix[row].tolist(), strict=True))
        own, sold = mine & (history.product == product), history.product == product
        assert facts["customer_orders"] == len(np.unique(history.order[mine]))
        assert facts["customer_days_since"] == today - history.day[mine].max()
        owners = len(np.unique(history.customer[sold & (history.customer >= 0)]))
        assert facts["product_owners"] == pytest.approx(owners / len(history.customers))
        assert facts["product_age"] == today - history.day[sold].min()
        here = sold & (history.location == 1) & (history.day > today - 91)
        assert np.isnan(facts["place_days_since"]) if not here.any() else \
            facts["place_days_since"] == today - history.day[here].max()  # fmt: skip
        if own.any():
            days = np.unique(history.day[own])
            assert facts["own_orders"] == len(np.unique(history.order[own]))
            assert facts["own_days_since"] == today - days[-1]
            assert (
                facts["own_gap"] == pytest.approx(np.diff(days).mean()) if len(days) > 1 else np.isnan(facts["own_gap"])
            )
            recent = np.unique(history.order[mine])[-3:]
            assert facts["own_in_last_3"] == np.isin(recent, history.order[own]).sum()
        else:
            assert np.isnan(facts["own_orders"])
        in_category = mine & (history.catalog.finest == history.catalog.finest[product])[history.product]
        if in_category.any():
            assert facts["category_orders"] == len(np.unique(history.order[in_category]))
            assert facts["category_products"] == len(np.unique(history.product[in_category]))
        else:
            assert np.isnan(facts["category_orders"])


def test_live_equals_batch_value_by_value(ranker: Ranker, history: Purchases) -> None:
    """To the bit; but for what als says, whose sums the numerical library takes in another order for one customer."""
    exact = [number for number, name in enumerate(COLUMNS) if not name.startswith("als_")]
    queries = at_home(ranker, everyone(history))
    together = ranker.proposers.known(queries)
    batch = ranker.proposers.gather(together, 20)
    matrix = ranker.features.matrix(together, ranker.proposers, batch)
    chances = ranker.chance(together, batch)
    for customer in (0, 3, len(queries) - 1):
        alone = ranker.proposers.known(at_home(ranker, Queries.of_customers(np.array([customer], np.int32))))
        live = ranker.proposers.gather(alone, 20)
        at = np.flatnonzero(batch.query == customer)
        assert live.product.tolist() == batch.product[at].tolist()
        seen = ranker.features.matrix(alone, ranker.proposers, live)
        np.testing.assert_array_equal(seen[:, exact], matrix[at][:, exact])
        np.testing.assert_allclose(seen, matrix[at], rtol=1e-5)
        np.testing.assert_allclose(ranker.chance(alone, live), chances[at], rtol=1e-4)


def test_what_is_saved_answers_the_same(ranker: Ranker, history: Purchases, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    opened = Ranker.open(tmp_path, history)
    before, after = ranker.score(everyone(history), 10), opened.score(everyone(history), 10)
    np.testing.assert_array_equal(before.product, after.product)
    np.testing.assert_array_equal(before.score, after.score)
    assert opened.windows == ranker.windows
    assert set(opened.chances) == set(PARTS)


def test_every_source_has_a_depth_and_a_place() -> None:
    assert set(MODELS) - {"items", "popular"} < set(DEPTH)
    assert tuple(DEPTH) == SOURCES
