"""What recommending costs: everyone in a process of its own, and one customer in a process that is warm."""

import argparse
import json
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from features.customers import customers_of
from features.history import Purchases, load_purchases
from features.workspace import Workspace
from models.contracts import Queries
from models.ranker import Ranker
from models.settings import RecommendSettings
from training.benchmark_ingest import measured

PLACES = 20
CUSTOMERS = 200
WARM = 20  # customers asked about before the clock runs


def cost_figures(workspace: Path, as_of: date, settings: RecommendSettings, scratch: Path) -> dict[str, Any]:
    """Cost of loading, learning and listing for everyone, of loading alone, and of one customer."""
    kept = scratch / "ranker"
    asked = ["--workspace", str(workspace), "--as-of", as_of.isoformat(), "--settings", settings.model_dump_json()]
    command = ["-m", "training.recommend_cost", *asked]
    load_alone = measured([*command, "--load-only"])
    everyone = measured([*command, "--keep", str(kept)])
    purchases = load_purchases(Workspace(workspace).snapshot(), as_of)
    inside = json.loads((kept / "cost.json").read_text("utf-8"))
    return {
        "as_of": as_of.isoformat(), "customers": len(purchases.customers), "products": len(purchases.products),
        "lines": len(purchases), "candidates": settings.candidates, "load": load_alone, "everyone": everyone,
        "within": inside, "one_customer": one_customer(Ranker.open(kept, purchases), purchases, settings.seed),
    }  # fmt: skip


def one_customer(ranker: Ranker, purchases: Purchases, seed: int, customers: int = CUSTOMERS) -> dict[str, float]:
    """Median CPU milliseconds per customer, asked one at a time, LightGBM with one thread.

    `candidates` is the first stage, `ranking` features and chances, `whole` the public `score` with both in it.
    """
    drawn = np.random.default_rng(seed).choice(len(purchases.customers), customers + WARM).astype(np.int32)
    home = customers_of(purchases, ranker.settings.half_life_days).home_location
    spent: list[tuple[float, float, float]] = []
    found = 0
    for customer in drawn:
        queries = Queries.of_customers(np.array([customer], np.int32), home[[customer]])
        known = ranker.proposers.known(queries)
        proposed = ranker.proposers.gather(known, ranker.settings.candidates)
        found += len(proposed)
        spent.append((_cpu(partial(_gather, ranker, queries)), _cpu(partial(ranker.chance, known, proposed)),
                      _cpu(partial(ranker.score, queries, PLACES))))  # fmt: skip
    told: dict[str, float] = {"customers": customers, "candidates": found / len(drawn)}
    for name, times in zip(("candidates", "ranking", "whole"), zip(*spent[WARM:], strict=True), strict=True):
        told |= {f"{name}_ms": float(np.median(times)), f"{name}_p95_ms": float(np.quantile(times, 0.95))}
    return told


def _gather(ranker: Ranker, queries: Queries) -> None:
    ranker.proposers.gather(ranker.proposers.known(queries), ranker.settings.candidates)


def _cpu(work: Callable[[], Any]) -> float:
    """Milliseconds of CPU, all threads."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def main() -> None:
    """Load, learn and list for everyone; the seconds of each part go beside what was learnt."""
    parser = argparse.ArgumentParser(prog="python -m training.recommend_cost", description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--settings", type=RecommendSettings.model_validate_json, required=True)
    parser.add_argument("--keep", type=Path, help="folder for what was learnt")
    parser.add_argument("--load-only", action="store_true")
    chosen = parser.parse_args()
    began = time.monotonic()
    purchases = load_purchases(Workspace(chosen.workspace).snapshot(), chosen.as_of)
    loaded = time.monotonic()
    if chosen.load_only:
        return
    ranker = Ranker(chosen.settings).fit(purchases)
    learnt = time.monotonic()
    lists = ranker.score(Queries.of_customers(np.arange(len(purchases.customers), dtype=np.int32)), PLACES)
    listed = time.monotonic()
    ranker.save(chosen.keep)
    seconds = {"load_seconds": loaded - began, "fit_seconds": learnt - loaded, "list_seconds": listed - learnt}
    (chosen.keep / "cost.json").write_text(json.dumps({**seconds, "entries": len(lists.query)}), "utf-8")


if __name__ == "__main__":
    main()
