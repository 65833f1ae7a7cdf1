"""LightGBM models of what customers will buy: how all of them are learnt, and kept as text."""

from pathlib import Path
from typing import Any

import lightgbm as lgb

from features.errors import BundleError

THREADS = 1  # two threads wait for each other at every split: on busy machines they take twice the time of one
LEARNING: dict[str, Any] = {
    "objective": "binary", "min_data_in_leaf": 100, "lambda_l2": 10.0, "max_bin": 63, "deterministic": True,
    "force_row_wise": True, "verbosity": -1, "num_threads": THREADS,
}  # fmt: skip


def save_booster(folder: Path, name: str, booster: lgb.Booster) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(booster.model_to_string(), "utf-8")


def open_booster(folder: Path, name: str) -> lgb.Booster:
    """Reopen what `save_booster` wrote. Raises BundleError when the file is missing or damaged."""
    path = folder / f"{name}.txt"
    try:
        return lgb.Booster(model_str=path.read_text("utf-8"))
    except (OSError, lgb.basic.LightGBMError) as fault:
        raise BundleError(f"{path} is missing or damaged ({fault}): train and release again") from fault
