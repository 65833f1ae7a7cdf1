import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.workspace import Workspace
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, onebasket
from training.cli import COMMANDS

HEAVY = {"mlflow", "lightgbm", "duckdb", "ibis", "pandas", "pyarrow", "numpy", "pydantic", "bentoml"}


def test_the_command_line_starts_without_any_heavy_library():
    code = f"import sys, training.cli; print(sorted({HEAVY} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [made.__name__ for made in COMMANDS])
def test_the_help_of_every_command_shows_an_example(command: str, tmp_path: Path):
    text = onebasket(tmp_path, command, "--help").stdout
    assert f"    onebasket {command}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "recommend", "--as-of", "2031-01-01"], ["2031-01-01 is outside", "2024-01-01 to 2024-05-19"]),
        (["train", "recommend", "--as-of", "2023-12-31"], ["outside the history"]),
        (["train", "forecast", "--as-of", "Sunday"], ["'Sunday' is not a day", "2017-12-10"]),
        (["train", "recommend", "--set", "recommend.half_life=3"], ["unknown key", "half_life_days"]),
        (["train", "recommend", "--set", "nonsense"], ["section.key=value"]),
        (["train", "recommend", "--set", "recommend.recommender=personel"], ["personel", "personal"]),
        (["train", "recommend", "--recipe", "complete-journey"], ["'tiny-shop'", "'complete-journey'", "--workspace"]),
        (["train", "recommend", "--recipe", "complete-jorney"], ["did you mean"]),
        (["backtest", "forecast", "--cutoffs", "2024-05-19"], ["cannot cut at 2024-05-19", "14 days to predict"]),
        (["backtest", "forecast", "--cutoffs", "99"], ["cannot cut at"]),
        (["backtest", "forecast", "--cutoffs", "9999"], [" more: with 14 days to predict"]),
        (["backtest", "forecast", "--cutoffs", "2²"], ["'2²' is not a day"]),
        (["backtest", "forecast", "--methods", "boosd"], ["no forecast method 'boosd'", "did you mean 'boosted'"]),
        (["backtest", "forecast", "--out", "scores.xlsx"], ["scores.xlsx", ".parquet or .csv"]),
        (["recommend", "--out", "lists.xlsx"], ["lists.xlsx", ".parquet or .csv"]),
        (["recommend", "--out", "nowhere/lists.csv"], ["there is no folder nowhere"]),
        (["recommend", "--out", "lists.csv", "--surface", "for-yo"], ["'for-yo'", "did you mean 'for-you'"]),
        (["recommend", "--out", "lists.csv", "--limit", "0"], ["--limit 0"]),
        (["forecast", "--out", "f.csv", "--horizon", "0"], ["--horizon 0"]),
        (["rollback", "recommend"], ["no earlier recommend release"]),
        (["release", "recommend", "--version", "77"], ["'77'", "none yet", "onebasket train recommend"]),
        (["serve"], ["nothing is released"]),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_message(arguments: list[str], words: list[str], shop: Path):
    result = onebasket(shop, *arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output


def test_a_workspace_without_history_says_what_to_run(tmp_path: Path):
    result = onebasket(tmp_path, "train", "recommend")
    assert (result.exit_code, "onebasket ingest --recipe" in result.stderr) == (2, True)


def test_a_workspace_that_is_a_file_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    result = onebasket(tmp_path / "file", "models")
    assert result.exit_code == 2
    assert f"error: {tmp_path / 'file'}: File exists: see that the folder" in result.stderr


def test_a_truncated_file_of_the_history_is_a_clear_error(own_shop: Path):
    for path in own_shop.glob("history/*/purchase_history/*/*.parquet"):
        path.write_bytes(path.read_bytes()[:200])
    result = onebasket(own_shop, "train", "recommend", "--as-of", "2024-04-28", *CHEAP)
    assert result.exit_code == 2, result.output
    assert "error: a file of the workspace is damaged" in result.stderr
    assert "run onebasket ingest again" in result.stderr


def test_debugging_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEBASKET_DEBUG", "1")
    result = onebasket(tmp_path, "train", "recommend")
    assert type(result.exception).__name__ == "NotIngested"


def test_a_second_process_is_told_who_holds_the_workspace(own_shop: Path):
    with Workspace(own_shop).writing("ingest"):
        result = onebasket(own_shop, "train", "recommend", *CHEAP)
    assert result.exit_code == 2
    assert f"in use (ingest, process {os.getpid()})" in result.stderr


def test_models_before_any_training_says_how_to_train(own_shop: Path):
    assert "onebasket train recommend" in onebasket(own_shop, "models").stdout
    assert json.loads(onebasket(own_shop, "models", "--json").stdout) == []


def test_models_lists_versions_with_their_day_and_aliases(trained_shop: Path):
    versions = json.loads(onebasket(trained_shop, "models", "--json").stdout)
    assert [(version["kind"], version["as_of"], version["aliases"]) for version in versions] == [
        ("recommend", AS_OF, ["challenger"]),
        ("forecast", AS_OF, ["challenger"]),
    ]


def test_ingest_prints_what_became_of_every_row(shop: Path):
    result = onebasket(shop.parent / "again", "ingest", "--recipe", str(shop.parent / "exports" / "recipe.toml"))
    till = next(line for line in result.stdout.splitlines() if "till" in line)
    cells = [cell.strip() for cell in till.strip("│").split("│")]
    read, kept, quarantined, duplicates = (int(cell.replace(",", "")) for cell in cells[2:])
    assert read == kept + quarantined + duplicates > 0


def test_the_shipped_recipes_are_listed(tmp_path: Path):
    assert "complete-journey" in onebasket(tmp_path, "recipes").stdout
