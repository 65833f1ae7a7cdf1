from datetime import date
from pathlib import Path

from features.workspace import Workspace
from models.bundle import open_bundle
from training.experiments import Store
from training.plots import draw_backtest, draw_bundle
from training.scoreboard import Score, Scoreboard

PNG = b"\x89PNG"
CUTOFF = date(2024, 5, 6)


def test_a_recommend_backtest_is_drawn_as_a_picture_per_metric(tmp_path: Path):
    scores = [Score(CUTOFF, method, "all", metric, 0.2, 0.1, 0.3)
              for method in ("popular", "ranker") for metric in ("recall@10", "ndcg@10")]  # fmt: skip
    draw_backtest("recommend", Scoreboard(tuple(scores)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"recall_at_10.png", "ndcg_at_10.png"}
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.iterdir())


def test_a_forecast_backtest_also_shows_error_by_horizon_and_coverage(tmp_path: Path):
    scores = (
        Score(CUTOFF, "tsb", "all", "wape", 0.8),
        Score(CUTOFF, "tsb", "horizon 1-7", "wape", 0.7),
        Score(CUTOFF, "tsb", "horizon 8-14", "wape", 0.9),
        Score(CUTOFF, "tsb", "all", "coverage_q50", 0.5),
        Score(CUTOFF, "tsb", "all", "coverage_q95", 0.93),
    )
    draw_backtest("forecast", Scoreboard(scores), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"wape.png", "error_by_horizon.png", "coverage.png"}


def test_a_forecast_bundle_is_drawn_with_its_largest_series(trained_shop: Path, tmp_path: Path):
    workspace = Workspace(trained_shop)
    version = Store(workspace).versions("forecast")[0].version
    draw_bundle(open_bundle(workspace.bundles / "forecast" / version, "forecast"), tmp_path)
    assert (tmp_path / "series.png").read_bytes().startswith(PNG)
