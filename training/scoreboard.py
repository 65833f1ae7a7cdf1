"""The result of a backtest: one long table, whatever was judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import fmean
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Score:
    """One measured figure. `low` and `high` bound its 95 % interval; both NaN where none was computed."""

    cutoff: date
    method: str
    segment: str  # 'all', or a group such as 'repeat', 'explore', 'horizon 1-7', 'demand smooth'
    metric: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Scoreboard:
    """Every score of a backtest, and what was judged where.

    `facts` says how: target window, counts per cut-off, settings, seeds.
    """

    scores: tuple[Score, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """Long table: cutoff, method, segment, metric, value, low, high."""
        return pd.DataFrame([vars(score) for score in self.scores])

    def means(self, metrics: Sequence[str], segment: str = "all") -> pd.DataFrame:
        """Mean over cut-offs: one row per method in the order judged, one column per metric."""
        return self._wide("value", metrics, segment)

    def margins(self, metrics: Sequence[str], segment: str = "all") -> pd.DataFrame:
        """Half the width of the 95 % intervals, mean over cut-offs, shaped as `means`; NaN where none was measured."""
        return self._wide("margin", metrics, segment)

    def _wide(self, column: str, metrics: Sequence[str], segment: str) -> pd.DataFrame:
        frame = self.frame().assign(margin=lambda every: (every["high"] - every["low"]) / 2)
        frame = frame[(frame["segment"] == segment) & frame["metric"].isin(metrics)]
        order = list(dict.fromkeys(frame["method"]))
        wide = frame.pivot_table(index="method", columns="metric", values=column, aggfunc="mean", sort=False,
                                 dropna=False)  # fmt: skip
        measured = set(frame["metric"])
        return wide.reindex(index=order, columns=[name for name in metrics if name in measured])

    def flat(self, method: str) -> dict[str, float]:
        """Metric names as MLflow wants them (metric, or metric.segment) with the method's mean over cut-offs."""
        values: dict[str, list[float]] = {}
        for score in self.scores:
            if score.method == method:
                values.setdefault(flat_name(score.metric, score.segment), []).append(score.value)
        return {name: fmean(parts) for name, parts in values.items()}

    def flat_by_cutoff(self, method: str) -> dict[date, dict[str, float]]:
        """The same names with the method's figures at each cut-off."""
        figures: dict[date, dict[str, float]] = {}
        for score in self.scores:
            if score.method == method:
                figures.setdefault(score.cutoff, {})[flat_name(score.metric, score.segment)] = score.value
        return figures


def flat_name(metric: str, segment: str = "all") -> str:
    """The name of a metric where only letters, digits, dots and underscores may stand.

    >>> flat_name("recall@10", "repeat")
    'recall_at_10.repeat'
    """
    name = metric if segment == "all" else f"{metric}.{segment}"
    return name.replace("@", "_at_").replace(" ", "_")


def joined(boards: Iterable[Scoreboard], facts: dict[str, Any]) -> Scoreboard:
    """The scores of several cut-offs as one board."""
    return Scoreboard(tuple(score for board in boards for score in board.scores), facts)
