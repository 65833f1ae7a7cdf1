"""The ranker learns only from before: windows, labels and candidates."""

from datetime import date

import numpy as np

from features.history import day_number
from models.candidates import SOURCES, WEIGHTS, Sources
from models.contracts import Queries
from models.ranker import Ranker
from models.ranker_features import COLUMNS, RankerFeatures
from models.settings import RecommendSettings
from tests.fixtures import tiny_models

AS_OF = date(2024, 5, 5)
SETTINGS = RecommendSettings(label_windows=2, candidates=20)


def test_windows_end_where_the_next_begins_and_never_reach_past_as_of() -> None:
    ranker = Ranker(SETTINGS).fit(tiny_models.purchases(AS_OF))
    assert [window.origin for window in ranker.windows] == ["2024-04-28", "2024-04-21"]
    for window in ranker.windows:
        assert 0.8 < window.candidate_recall <= 1
        assert window.rows >= window.hits > 0


def test_candidates_stay_within_the_limit_and_name_each_product_once() -> None:
    history = tiny_models.purchases(AS_OF)
    queries = Queries.of_customers(np.arange(len(history.customers), dtype=np.int32))
    sources = Sources.fit(history, SETTINGS)
    found = sources.gather(queries, 12)
    assert np.bincount(found.query).max() == 12
    keys = found.query.astype(np.int64) * 24 + found.product
    assert (np.diff(keys) > 0).all()
    assert found.score.shape == found.rank.shape == (len(keys), len(SOURCES))
    assert (~np.isnan(found.rank)).any(axis=1).all()
    assert list(WEIGHTS) == list(SOURCES)


def test_the_staples_are_among_the_candidates_with_their_first_ranks() -> None:
    history = tiny_models.purchases(AS_OF)
    found = Sources.fit(history, SETTINGS).gather(Queries.of_customers(np.array([5], np.int32)), 20)
    staples = [history.products.code(f"p{product:02d}") for product in (5, 38 % 24)]
    ranks = found.rank[np.isin(found.product, staples), list(SOURCES).index("personal")]
    assert sorted(ranks.tolist()) == [0, 1]


def test_a_source_that_cannot_learn_is_left_out() -> None:
    history = tiny_models.purchases(date(2024, 1, 1))
    sources = Sources.fit(history, SETTINGS)
    assert "als" not in sources.fitted
    found = sources.gather(Queries.of_customers(np.array([0], np.int32)), 20)
    assert np.isnan(found.rank[:, list(SOURCES).index("als")]).all()


def test_each_feature_stands_in_its_named_column() -> None:
    history = tiny_models.purchases(AS_OF)
    features = RankerFeatures.fit(history, SETTINGS.half_life_days)
    queries = Queries.of_customers(np.array([7], np.int32))
    found = Sources.fit(history, SETTINGS).gather(queries, 20)
    matrix = features.matrix(queries, found)
    assert matrix.shape == (len(found.query), len(COLUMNS))
    mine = history.customer == 7
    for row, product in enumerate(found.product.tolist()):
        facts = dict(zip(COLUMNS, matrix[row].tolist(), strict=True))
        own = mine & (history.product == product)
        assert facts["customer_baskets"] == len(np.unique(history.order[mine]))
        assert facts["customer_days_since"] == day_number(AS_OF) - history.day[mine].max()
        if own.any():
            assert facts["own_baskets"] == own.sum()
            assert facts["own_days_since"] == day_number(AS_OF) - history.day[own].max()
        else:
            assert np.isnan(facts["own_baskets"])
        alike = history.catalog.finest == history.catalog.finest[product]
        in_category = mine & alike[history.product]
        if in_category.any():
            assert facts["category_lines"] == in_category.sum()
