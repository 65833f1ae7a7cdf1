"""Backtest of the surfaces, each by the question that it is for and beside its baselines, and their tables."""

import math
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np

from features.progress import Progress, silent
from models.settings import RecommendSettings
from training.surface_baskets import Values, basket_values
from training.surface_strangers import stranger_values
from training.surface_switches import switch_values
from training.surface_trends import trend_values
from training.surface_week import Load, Numbers, Week

SURFACES: dict[str, tuple[Callable[[Week, RecommendSettings], Values], str]] = {
    "with-basket": (basket_values, "One product held out of each basket with at least 3: is it among the 10 named? "
                    "Guests are the same baskets without their customer."),
    "similar": (switch_values, "A customer came back to a category and took another product of it instead: is that "
                "one among the 10 most similar?"),
    "trending": (trend_values, "Share of the 10 named that had more buyers in the week than in the mean of the four "
                 "weeks before; here is the mean of the 30 busiest locations."),
    "strangers": (stranger_values, "What customers bought in the week, asked as strangers at the location of their "
                  "first order in it; cold customers had no order before."),
}  # fmt: skip


def surface_figures(
    load: Load, weeks: Sequence[date], settings: RecommendSettings, progress: Progress = silent
) -> tuple[dict[str, Any], str]:
    """Every figure over the weeks that begin on these days, and the tables in Markdown.

    `load` gives the history as of a day. A figure is the mean over all that was asked, with a 95 % interval over it.
    """
    gathered: dict[str, dict[tuple[str, str, str], list[Numbers]]] = {name: {} for name in SURFACES}
    with progress.step("surface backtest", len(weeks) * len(SURFACES)) as step:
        for cutoff in weeks:
            week = Week.of(load, cutoff)
            for name, (values_of, _) in SURFACES.items():
                for key, values in values_of(week, settings).items():
                    gathered[name].setdefault(key, []).append(values)
                step.advance()
    figures: dict[str, Any] = {name: _figures(values) for name, values in gathered.items()}
    text = [f"**{name}.** {SURFACES[name][1]}\n\n{_table(rows)}" for name, rows in figures.items()]
    return figures | {"weeks": [str(week) for week in weeks]}, "\n\n".join(text)


def _figures(values: dict[tuple[str, str, str], list[Numbers]]) -> list[dict[str, Any]]:
    rows = []
    for (segment, method, metric), parts in values.items():
        every = np.concatenate(parts)
        if not len(every):
            continue
        margin = 1.96 * float(every.std()) / math.sqrt(len(every))
        rows.append({
            "segment": segment, "method": method, "metric": metric, "asked": len(every), "mean": float(every.mean()),
            "low": float(every.mean()) - margin, "high": float(every.mean()) + margin,
            "weeks": [float(part.mean()) if len(part) else None for part in parts],
        })  # fmt: skip
    return rows


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """One line per segment and method, one column per metric."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    cells = {(row["segment"], row["method"], row["metric"]): row for row in rows}
    lines = [("segment", "asked", "method", *metrics), ("---",) * (3 + len(metrics))]
    for segment, method in dict.fromkeys((row["segment"], row["method"]) for row in rows):
        said = [cells[segment, method, metric] for metric in metrics]
        shown = ["{mean:.3f} ({low:.3f} – {high:.3f})".format(**cell) for cell in said]
        lines.append((segment, f"{said[0]['asked']:,}", method, *shown))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
