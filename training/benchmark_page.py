"""How benchmarks are written down: docs/benchmarks/NAME.json, and tables in docs/benchmarks.md."""

import json
import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from training.scoreboard import Scoreboard

DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = ("lightgbm", "implicit", "numpy", "pandas", "scikit-learn", "duckdb", "ibis-framework")


def markdown(frame: pd.DataFrame) -> str:
    """A table of numbers with four digits."""
    rows = [[str(name), *(f"{value:.4g}" for value in row)]
            for name, row in zip(frame.index, frame.to_numpy(), strict=True)]  # fmt: skip
    return table([str(frame.index.name or ""), *map(str, frame.columns)], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def shown(value: float, low: float = math.nan, high: float = math.nan, digits: int = 4) -> str:
    """A figure, with its interval where there is one; a dash where there is no figure.

    >>> shown(0.12345), shown(0.12345, 0.11, 0.13, 3), shown(float("nan"))
    ('0.1235', '0.123 (0.110 – 0.130)', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isnan(low):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})"


def percent(value: float) -> str:
    """A share or a gain in per cent, one digit.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3 %', '–')
    """
    return "–" if math.isnan(value) else f"{value:.1%}".replace("%", " %")


def write(name: str, result: Any, text: str, seconds: float, docs: Path = DOCS) -> None:
    """Write figures with the machine and the versions, and put `text` between the markers of the name."""
    made_on = datetime.now(UTC).date().isoformat()
    content = {"name": name, "made_on": made_on, "seconds": round(seconds), **_machine()}
    if isinstance(result, Scoreboard):
        content |= {
            "facts": result.facts,
            "scores": json.loads(result.frame().to_json(orient="records", date_format="iso")),
        }
    else:
        content |= {"figures": result}
    (docs / "benchmarks").mkdir(exist_ok=True)
    (docs / "benchmarks" / f"{name}.json").write_text(json.dumps(content, indent=1, default=str), "utf-8")
    page = docs / "benchmarks.md"
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = page.read_text("utf-8")
    if start not in old:
        old = f"{old.rstrip()}\n\n## {name}\n\n{start}\n{end}\n"
    before, after = old.partition(start)[0], old.partition(end)[2]
    note = f"`make bench ARGS={name}`, {made_on}, {os.cpu_count()} cores, {seconds / 60:.1f} minutes in all."
    page.write_text(f"{before}{start}\n{note}\n\n{text}\n{end}{after}", "utf-8")


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES}}  # fmt: skip
