"""Tables for people: backtests and registered versions, on stdout."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.experiments import ModelVersion
    from training.recipe import Kind
    from training.scoreboard import Scoreboard

UNWATCHED_WIDTH = 160
# Shown in this order where a backtest measured them; higher is better for the names in HIGHER_IS_BETTER.
SHOWN = {
    "recommend": ("recall@10", "ndcg@10", "hit@10", "map@10", "coverage@10"),
    "forecast": ("wape", "rmsse", "wrmsse", "bias", "pinball"),
}
HIGHER_IS_BETTER = {"recall@10", "ndcg@10", "hit@10", "map@10", "coverage@10"}
CLOSEST_TO_ZERO = {"bias"}


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns after the first are aligned to the right where every cell is a number."""
    from rich.console import Console
    from rich.table import Table

    cells = [list(row) for row in rows]
    table = Table()
    for number, name in enumerate(head):
        numeric = bool(cells) and all(_is_number(row[number]) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    print(title)
    # A file or a pipe has no width of its own; wide enough that nothing wraps.
    Console(width=None if sys.stdout.isatty() else UNWATCHED_WIDTH, highlight=False, markup=False).print(table)


def _is_number(text: str) -> bool:
    return not text.strip("+-.,% 0123456789")


def print_scores(kind: "Kind", board: "Scoreboard") -> None:
    """Print a backtest: one row per method, means over the cut-offs, the best of each column marked; then who wins.

    Where an interval was measured, half its mean width stands after ±.
    """
    from training.verdict import verdicts

    frame = board.frame()
    means, margins = board.means(SHOWN[kind]), board.margins(SHOWN[kind])
    best = {name: _best(name, means[name]) for name in means.columns}
    rows = [
        [str(method), *(_cell(value, margin, best[name] == method)
                        for name, value, margin in zip(means.columns, values, spreads, strict=True))]
        for method, values, spreads in zip(means.index, means.to_numpy(), margins.to_numpy(), strict=True)
    ]  # fmt: skip
    days = ", ".join(str(day) for day in sorted(frame["cutoff"].unique()))
    interval = ", ± 95 % interval of one cut-off" if margins.notna().any(axis=None) else ""
    print_table(f"backtest {kind}, mean over {days} (* best{interval})", ["method", *means.columns], rows)
    for line in verdicts(kind, board):
        print(line)


def print_segments(kind: "Kind", board: "Scoreboard") -> None:
    """Print the first figure of a backtest by segment: one row per segment, one column per method."""
    metric = SHOWN[kind][0]
    frame = board.frame()
    frame = frame[frame["metric"] == metric]
    wide = frame.pivot_table(index="segment", columns="method", values="value", aggfunc="mean", sort=False)
    methods = list(dict.fromkeys(frame["method"]))
    rows = [[str(segment), *(_cell(value).strip() for value in values)]
            for segment, values in zip(wide.index, wide[methods].to_numpy(), strict=True)]  # fmt: skip
    print_table(f"{metric} by segment", ["segment", *methods], rows)


def _cell(value: float, margin: float = math.nan, best: bool = False) -> str:
    if math.isnan(value):
        return "-"
    spread = "" if math.isnan(margin) else f" ±{margin:.3f}"
    return f"{value:.4f}{spread}{' *' if best else '  '}"


def _best(name: str, column: Any) -> Any:
    if name in CLOSEST_TO_ZERO:
        return column.abs().idxmin()
    return column.idxmax() if name in HIGHER_IS_BETTER else column.idxmin()


def print_versions(versions: "Sequence[ModelVersion]", *, as_json: bool) -> None:
    """Print registered versions, newest last."""
    if as_json:
        print(json.dumps([_version_facts(version) for version in versions], indent=1))
        return
    rows = [
        [version.kind, str(version.number), version.version, version.as_of.isoformat(), ", ".join(version.aliases),
         ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())]
        for version in versions
    ]  # fmt: skip
    print_table("models", ["kind", "number", "version", "as of", "aliases", "backtest"], rows)


def _version_facts(version: "ModelVersion") -> dict[str, Any]:
    return {"kind": version.kind, "number": version.number, "version": version.version,
            "as_of": version.as_of.isoformat(), "aliases": list(version.aliases), "run_id": version.run_id,
            "metrics": dict(version.metrics)}  # fmt: skip
