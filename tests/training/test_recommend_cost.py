"""The cost of recommending is measured in a process of its own, on the tiny shop."""

from datetime import date
from pathlib import Path

from models.settings import RecommendSettings
from tests.fixtures.tiny_workspace import AS_OF
from training.benchmark_recommend import cost


def test_cost_is_told_of_everyone_and_of_one_customer(shop: Path, tmp_path: Path) -> None:
    settings = RecommendSettings(label_windows=1, candidates=20)
    figures, text = cost(shop, date.fromisoformat(AS_OF), settings, tmp_path)
    assert figures["everyone"]["cpu_seconds"] > figures["load"]["cpu_seconds"] * 0.5 > 0
    assert figures["everyone"]["peak_mib"] > 50
    assert figures["within"]["fit_seconds"] > figures["within"]["list_seconds"] > 0
    assert figures["within"]["entries"] == 20 * figures["customers"]
    one = figures["one_customer"]
    assert one["candidates"] == 20
    assert 0 < one["candidates_ms"] <= one["candidates_p95_ms"]
    assert one["whole_ms"] > one["ranking_ms"] > 0
    assert "| features and chances |" in text
