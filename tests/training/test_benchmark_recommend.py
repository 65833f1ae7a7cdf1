"""The recommendation benchmarks on the tiny shop: every part is there, and none reads what follows."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.history import Purchases
from models.settings import RecommendSettings
from tests.fixtures import tiny_models
from training import benchmark_page, next_basket
from training.benchmark_recommend import next_basket as last_baskets
from training.benchmark_recommend import next_week
from training.benchmarks import BENCHMARKS
from training.recommend_tables import verdict_table
from training.recommend_weeks import BOUGHT, judge_weeks, stability

WEEKS = [date(2024, 4, 15), date(2024, 4, 22)]
SETTINGS = RecommendSettings(label_windows=1, candidates=20)
METHODS = ("popular", "personal", "ranker")


def load(as_of: date) -> Purchases:
    return tiny_models.purchases(as_of)


@pytest.fixture(scope="module")
def judged() -> tuple[dict[str, Any], str]:
    return next_week(load, WEEKS, SETTINGS, METHODS)


def value(figures: dict[str, Any], method: str, segment: str, metric: str) -> dict[str, Any]:
    rows = [row for row in figures["scores"]
            if (row["method"], row["segment"], row["metric"]) == (method, segment, metric)]  # fmt: skip
    assert len(rows) == 1
    return rows[0]


def test_every_method_has_every_measure_at_every_cut_off(judged: tuple[dict[str, Any], str]) -> None:
    figures, _ = judged
    for method in ("popular", "personal", "ranker"):
        for k in (5, 10, 20):
            row = value(figures, method, "all", f"ndcg@{k}")
            assert row["low"] <= row["value"] <= row["high"]
            assert set(row["by_cutoff"]) == {day.isoformat() for day in WEEKS}
        assert value(figures, method, "all", "recall@5")["value"] <= value(figures, method, "all", "recall@20")["value"]


def test_customers_repeat_what_they_bought_and_the_figures_tell(judged: tuple[dict[str, Any], str]) -> None:
    figures, _ = judged
    personal = value(figures, "personal", "all", "ndcg@10")["value"]
    assert personal > 0.9 > value(figures, "popular", "all", "ndcg@10")["value"]
    verdict = next(one for one in figures["verdict"] if (one["part"], one["metric"]) == ("all", "ndcg@10"))
    assert verdict["best"] == "personal"
    assert verdict["value"] == pytest.approx(value(figures, "ranker", "all", "ndcg@10")["value"] / personal - 1)


def test_chances_candidates_and_the_nature_of_lists_are_told(judged: tuple[dict[str, Any], str]) -> None:
    figures, text = judged
    assert figures["chances"]["owned"]["pairs"] > 500
    assert figures["candidates"]["repeat"]["own"]["found"] > 0.8
    assert set(figures["beyond"]) == {BOUGHT, *METHODS}
    for title in ("Only explore:", "The first basket after each cut-off", "What the first stage proposes",
                  "The ranker's chances", "What the first 10 places are like", "By group of households"):  # fmt: skip
        assert title in text


def test_without_the_ranker_the_other_parts_stand() -> None:
    figures, text = next_week(load, WEEKS[:1], SETTINGS, ["popular", "personal"])
    assert figures["verdict"] == []
    assert figures["chances"] == {}
    assert "The ranker" not in text


def test_what_follows_the_first_baskets_changes_no_figure() -> None:
    """Nothing after the 28 days from the cut-off is read; what is within, only as truth."""

    def short(as_of: date) -> Purchases:
        return tiny_models.purchases(min(as_of, WEEKS[0] + timedelta(days=27)))

    plain, other = (judge_weeks(source, WEEKS[:1], SETTINGS, ["popular", "als"]) for source in (load, short))
    assert plain.baskets[0].households == other.baskets[0].households
    for key, values in plain.weeks[0].values.items():
        assert np.array_equal(values, other.weeks[0].values[key], equal_nan=True)


def test_popular_lists_hardly_change_from_week_to_week(judged: tuple[dict[str, Any], str]) -> None:
    figures, text = judged
    assert set(figures["steadiness"]) == set(METHODS)
    assert 0.5 < figures["steadiness"]["popular"] <= 1
    assert "stays a week later" in text


def test_lists_of_a_history_that_does_not_go_on_stay_whole() -> None:
    """A week later no more is known than before."""
    shown = judge_weeks(load, WEEKS[:1], SETTINGS, ["items"]).shown

    def ended(as_of: date) -> Purchases:
        return tiny_models.purchases(min(as_of, WEEKS[0] - timedelta(days=1)))

    assert shown is not None
    assert stability(shown, ended, SETTINGS, ["items"]) == {"items": 1.0}


def test_last_baskets_are_asked_with_days_moved_and_as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_basket, "LEAST_LINES", 5)
    figures, text = last_baskets(tiny_models.purchases(), SETTINGS, ["popular", "personal"])
    assert figures["aligned"]["households"] == figures["as they lie"]["households"] > 40
    assert "Days as they lie" in text


def test_a_verdict_says_whether_the_bar_is_reached() -> None:
    one = {"part": "all", "metric": "ndcg@10", "best": "ease", "method_mean": 0.33, "best_mean": 0.3, "value": 0.1,
           "low": 0.06, "high": 0.14, "bar": 0.05}  # fmt: skip
    row = "| all ndcg@10 | ease, 0.3000 | 0.3300 | +5.0 % | +10.0 % | +6.0 % – +14.0 % |"
    assert f"{row} above, the whole interval too |" in verdict_table("ranker", [one])
    assert "+11.0 %" in (higher := verdict_table("ranker", [one | {"bar": 0.11}]))
    assert higher.endswith("below the bar |")
    assert verdict_table("ranker", [one | {"bar": 0.08}]).endswith(" above |")


def test_figures_and_tables_are_written_between_the_markers_of_their_name(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\n<!-- one -->\nold\n<!-- /one -->\n\nAfter.\n", "utf-8")
    text = benchmark_page.markdown(pd.DataFrame({"a": [0.5]}, index=["x"]))
    benchmark_page.write("one", {"figure": 1}, text, 60, tmp_path)
    benchmark_page.write("two", {"figure": 2}, "second", 60, tmp_path)
    written = page.read_text("utf-8")
    assert "old" not in written
    assert written.index("| x | 0.5 |") < written.index("After.") < written.index("<!-- two -->\n`make bench ARGS=two`")
    assert json.loads((tmp_path / "benchmarks" / "one.json").read_text("utf-8"))["figures"] == {"figure": 1}


def test_what_the_makefile_runs_are_benchmarks() -> None:
    lines = (Path(__file__).parents[2] / "Makefile").read_text("utf-8").splitlines()
    named = [word for line in lines if "training.benchmarks" in line
             for word in line.split("training.benchmarks")[1].split() if not word.startswith("$")]  # fmt: skip
    assert {"recommend", "next-basket", "recommend-cost", "timing"} <= set(named) <= set(BENCHMARKS)
