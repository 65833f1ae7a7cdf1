"""The next-week protocol on a shop whose right answers are known."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.errors import HistoryError
from features.history import Purchases, purchases_from
from models.settings import RecommendSettings
from tests.fixtures import tiny_models
from training.recommend_backtest import backtest_recommend
from training.recommend_question import ask

CUTOFF = date(2024, 4, 29)
SETTINGS = RecommendSettings(label_windows=1, candidates=20)


def load(as_of: date) -> Purchases:
    return tiny_models.purchases(as_of)


def test_the_truth_is_what_active_customers_buy_in_the_window() -> None:
    question = ask(load, CUTOFF, SETTINGS)
    rows = tiny_models.history_table().to_pandas()
    window = rows[(rows["day"] >= CUTOFF) & (rows["day"] < CUTOFF + timedelta(days=7)) & rows["account_id"].notna()]
    truth = window.groupby("account_id")["product_id"].agg(set)
    assert len(question) == len(truth)
    assert question.truth_count.tolist() == [len(products) for products in truth]
    assert question.history.as_of == date(2024, 4, 28)
    found = {(question.queries.customer[q], question.history.products[p])
             for q, p in zip(question.truth_query, question.truth_product.tolist(), strict=True)}  # fmt: skip
    wanted = {(question.history.customers.code(customer), product)
              for customer, products in truth.items() for product in products}  # fmt: skip
    assert found == wanted


def test_a_product_first_sold_in_the_window_stays_in_the_truth() -> None:
    table = tiny_models.history_table().to_pandas()
    fresh = table[table["account_id"] == "c01"].tail(1).assign(product_id="new", day=CUTOFF, order_id="later")

    def with_new(as_of: date) -> Purchases:
        rows = pa.Table.from_pandas(fresh, schema=tiny_models.history_table().schema, preserve_index=False)
        return purchases_from(pa.concat_tables([tiny_models.history_table(), rows]), as_of)

    plain, longer = ask(load, CUTOFF, SETTINGS), ask(with_new, CUTOFF, SETTINGS)
    assert longer.truth_count.sum() == plain.truth_count.sum() + 1
    assert len(longer.truth_query) == len(plain.truth_query)


def test_a_stranger_is_asked_about_and_its_shop_is_not_looked_up_in_the_window() -> None:
    def only_some_before(as_of: date) -> Purchases:
        rows = tiny_models.history_table().to_pandas()
        rows = rows[(rows["day"] >= CUTOFF) | (rows["account_id"] != "c05")]
        return purchases_from(pa.Table.from_pandas(rows, preserve_index=False), as_of)

    question = ask(only_some_before, CUTOFF, SETTINGS)
    stranger = np.flatnonzero(question.queries.customer < 0)
    assert len(stranger) == 1
    assert question.queries.location[stranger].tolist() == [-1]
    assert question.truth_count[stranger][0] > 0


def test_baselines_and_segments_are_always_in_the_table() -> None:
    board = backtest_recommend(load, [CUTOFF - timedelta(days=7), CUTOFF], SETTINGS, ["ranker", "items"])
    frame = board.frame()
    assert list(dict.fromkeys(frame["method"])) == ["popular", "personal", "ranker", "items"]
    assert {"all", "repeat", "explore", "light", "heavy"} <= set(frame["segment"])
    assert frame["cutoff"].nunique() == 2
    whole = frame[frame["metric"] == "ndcg@10"]
    assert ((whole["low"] <= whole["value"]) & (whole["value"] <= whole["high"])).all()
    recall = frame[frame["metric"] == "candidate_recall"]
    assert set(recall["method"]) == {"ranker"}
    assert recall["value"].between(0.8, 1).all()
    means = board.means(["ndcg@10"])["ndcg@10"]
    assert means["personal"] > 0.9 > means["popular"]
    assert means["ranker"] > 0.9
    assert board.facts["customers"] == {"2024-04-22": 46, "2024-04-29": 48}


def test_repeat_hits_are_complete_where_a_customer_has_few_products() -> None:
    """Nobody owns more than ten products in the first two weeks: restricted to them, every list holds them all."""
    board = backtest_recommend(load, [date(2024, 1, 15)], SETTINGS, [])
    frame = board.frame()
    repeat = frame[(frame["segment"] == "repeat") & (frame["metric"] == "recall@10")]
    assert repeat["value"].tolist() == [1.0, 1.0]


def test_later_rows_change_no_score() -> None:
    table = tiny_models.history_table().to_pandas()
    cut = table[table["day"] < CUTOFF + timedelta(days=7)]
    short = pa.Table.from_pandas(cut, preserve_index=False)
    boards = [
        backtest_recommend(source, [CUTOFF], SETTINGS, ["als"])
        for source in (lambda day: purchases_from(tiny_models.history_table(), day),
                       lambda day: purchases_from(short, day))
    ]  # fmt: skip
    assert boards[0].scores == boards[1].scores


def test_a_window_without_known_customers_is_an_error_with_its_remedy() -> None:
    with pytest.raises(HistoryError, match="no known customer bought in the 7 days from 2025-01-01"):
        backtest_recommend(load, [date(2025, 1, 1)], SETTINGS, ["popular"])
