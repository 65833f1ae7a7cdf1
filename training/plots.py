"""Pictures of a bundle and of a backtest, as PNG files that go with their run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from models.bundle import Bundle
from training.recipe import Kind
from training.scoreboard import Scoreboard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_METRICS = {
    "recommend": ("recall@10", "ndcg@10", "hit@10", "map@10"),
    "forecast": ("wape", "rmsse", "pinball", "bias"),
}
SHOWN_FEATURES = 25
SHOWN_SERIES = 6
HORIZON_SEGMENT = "horizon "
# Prefix of the metric of each level → what is counted.
COVERAGE_METRICS = {"coverage_q": "share of days", "sum_coverage_q": "share of sums until the next order"}


def draw_backtest(kind: Kind, board: Scoreboard, folder: Path) -> None:
    """Write a picture of each headline metric by method; of forecasts also error by horizon and coverage."""
    frame = board.frame()
    for metric in SHOWN_METRICS[kind]:
        rows = frame[(frame["metric"] == metric) & (frame["segment"] == "all")]
        if len(rows):
            _save(_bars(rows, metric), folder / f"{_file_name(metric)}.png")
    horizons = frame[frame["segment"].str.startswith(HORIZON_SEGMENT) & (frame["metric"] == "wape")]
    if len(horizons):
        _save(_by_horizon(horizons), folder / "error_by_horizon.png")
    coverage = frame[frame["metric"].str.startswith(tuple(COVERAGE_METRICS)) & (frame["segment"] == "all")]
    if len(coverage):
        _save(_coverage(coverage), folder / "coverage.png")


def _file_name(metric: str) -> str:
    return metric.replace("@", "_at_")


def _bars(rows: pd.DataFrame, metric: str) -> "Figure":
    means = rows.groupby("method", sort=False)[["value", "low", "high"]].mean()
    measured = bool(means[["low", "high"]].notna().all(axis=None))
    figure, axes = _canvas(f"{metric}, mean of {rows['cutoff'].nunique()} cut-offs"
                           + (" with 95 % interval" if measured else ""), height=1 + len(means) * 0.5)  # fmt: skip
    error = np.abs(np.vstack([means["value"] - means["low"], means["high"] - means["value"]])) if measured else None
    bars = axes.barh(means.index, means["value"], xerr=error, color="#9ecae1", ecolor="#222222", capsize=3)
    axes.bar_label(bars, fmt="%.4f", label_type="center")
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.invert_yaxis()
    return figure


def _by_horizon(rows: pd.DataFrame) -> "Figure":
    figure, axes = _canvas("WAPE by days ahead")
    for method, part in rows.groupby("method", sort=False):
        means = part.groupby("segment", sort=False)["value"].mean()
        labels = [str(segment).removeprefix(HORIZON_SEGMENT) for segment in means.index]
        axes.plot(labels, means.to_numpy(), marker="o", label=str(method))
    axes.set_xlabel("days ahead")
    axes.set_ylabel("WAPE: sum of absolute errors ÷ units sold")
    axes.legend()
    return figure


def _coverage(rows: pd.DataFrame) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    parts = [(title, rows[rows["metric"].str.startswith(prefix)]) for prefix, title in COVERAGE_METRICS.items()]
    parts = [(title, part) for title, part in parts if len(part)]
    for number, (title, part) in enumerate(parts, start=1):
        axes = figure.add_subplot(1, len(parts), number)
        _covered(axes, part)
        axes.set_title(f"{title} at or below each quantile", fontsize=10)
    figure.suptitle("right: on the line; above it where most days sell nothing, since 0 is below every quantile",
                    fontsize=10)  # fmt: skip
    return figure


def _covered(axes: Any, rows: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for number, (method, part) in enumerate(rows.groupby("method", sort=False)):
        level = part["metric"].str.rpartition("_q")[2].astype(float) / 100
        means = part["value"].groupby(level).mean()
        # Widths that shrink, so that lines which fall together are all seen.
        axes.plot(means.index, means.to_numpy(), marker="o", label=str(method), linewidth=max(1, 5 - number))
    axes.set_xlabel("quantile level")
    axes.set_ylabel("share")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend()


def draw_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the importance of each LightGBM model's features, and for a forecast some series with their fan."""
    for path in sorted(bundle.folder.rglob("*.txt")):
        importance = _importance(path)
        if importance is not None:
            _save(importance, folder / f"importance_{path.stem}.png")
    if bundle.kind == "forecast":
        _save(_fans(bundle), folder / "series.png")


def _importance(path: Path) -> "Figure | None":
    """Gain by feature; None for a text file that is no LightGBM model, or one that learnt nothing."""
    import lightgbm

    with path.open("rb") as file:
        if file.read(4) != b"tree":
            return None
    booster = lightgbm.Booster(model_file=str(path))
    gain = pd.Series(booster.feature_importance("gain"), index=booster.feature_name())
    top = gain[gain > 0].sort_values(ascending=False).head(SHOWN_FEATURES)
    if top.empty:
        return None
    figure, axes = _canvas(f"{path.stem}: share of the gain by feature", height=1 + len(top) * 0.25)
    axes.barh(top.index, top / gain.sum(), color="#4c78a8")
    axes.invert_yaxis()
    return figure


def _fans(bundle: Bundle) -> "Figure":
    """The products that sell most, where each sells most, with mean, half and nine tenths."""
    from matplotlib.figure import Figure

    table = pq.read_table(bundle.folder / "forecast.parquet").to_pandas()
    products = pq.read_table(bundle.folder / "products.parquet", columns=["product_id", "name"]).to_pandas()
    names = products.set_index("product_id")["name"]
    totals = table.groupby(["product_id", "location_id"])["mean_units"].sum().sort_values(ascending=False)
    # One location of each product: the same product everywhere would show little.
    largest = list(totals[~totals.index.get_level_values("product_id").duplicated()].index)[:SHOWN_SERIES]
    figure = Figure(figsize=(10, 2.2 * max(1, len(largest))), layout="constrained")
    for number, (product, location) in enumerate(largest, start=1):
        rows = table[(table["location_id"] == location) & (table["product_id"] == product)]
        axes = figure.add_subplot(len(largest), 1, number)
        axes.fill_between(rows["target_date"], rows["q05"], rows["q95"], color="#c6dbef", label="5 to 95 %")
        axes.fill_between(rows["target_date"], rows["q25"], rows["q75"], color="#6baed6", label="25 to 75 %")
        axes.plot(rows["target_date"], rows["mean_units"], color="#08306b", label="mean")
        axes.set_ylim(bottom=0)
        # A name is no formula, whatever dollar signs it has.
        axes.set_title(f"{names.get(product, product)} ({product}) at {location}: units a day", fontsize=9,
                       parse_math=False)  # fmt: skip
        if number == 1:
            axes.legend(fontsize=7, loc="upper left", ncols=3)
    return figure


def _canvas(title: str, height: float = 4) -> "tuple[Figure, Any]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    return figure, axes


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, dpi=100)
