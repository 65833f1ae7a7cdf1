import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.errors import ExportError
from features.tables import DEMAND_DAYS, FORECAST, ORDER_PROPOSALS, RECOMMENDATIONS
from features.workspace import Workspace
from tests.fixtures import tiny_shop
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, CHEAP_FORECAST, done, onebasket
from training import exports
from training.experiments import Store
from training.exports import write_file


def test_every_known_customer_gets_as_many_products_as_asked_for(trained_shop: Path, tmp_path: Path):
    out = tmp_path / "lists.parquet"
    done(trained_shop, "recommend", "--as-of", AS_OF, "--limit", "7", "--out", str(out), *CHEAP)
    table = pq.read_table(out)
    assert table.column_names == list(RECOMMENDATIONS.column_names)
    assert table.num_rows == 7 * tiny_shop.CUSTOMERS
    assert set(table["rank"].to_pylist()) == set(range(1, 8))


def test_reasons_are_written_in_the_language_asked_for(trained_shop: Path, tmp_path: Path):
    out = tmp_path / "lists.csv"
    asked = ("recommend", "--as-of", AS_OF, "--limit", "1", "--out", str(out))
    done(trained_shop, *asked, "--language", "zh", *CHEAP)
    assert all(reason.startswith("买过") for reason in pacsv.read_csv(out)["reason"].to_pylist())
    refused = onebasket(trained_shop, *asked, "--language", "fr", *CHEAP)
    assert refused.exit_code == 2
    assert "there are no reasons in 'fr': use one of en, zh" in refused.stderr


def test_a_forecast_has_every_coming_day_up_to_its_horizon(trained_shop: Path, tmp_path: Path):
    out = tmp_path / "forecast.csv"
    done(trained_shop, "forecast", "--as-of", AS_OF, "--horizon", "5", "--out", str(out), *CHEAP_FORECAST)
    table = pacsv.read_csv(out)
    assert table.column_names == list(FORECAST.column_names)
    made_on = date.fromisoformat(AS_OF)
    assert set(table["target_date"].to_pylist()) == {made_on + timedelta(days=step) for step in range(1, 6)}


def test_a_horizon_beyond_the_recipe_is_trained_for(trained_shop: Path, tmp_path: Path):
    out = tmp_path / "forecast.parquet"
    told = done(trained_shop, "forecast", "--as-of", AS_OF, "--horizon", "21", "--out", str(out), *CHEAP_FORECAST)
    assert "without registering it" in told.stderr
    assert max(pq.read_table(out)["target_date"].to_pylist()) == date.fromisoformat(AS_OF) + timedelta(days=21)


def test_orders_name_their_reasons_in_csv_too(trained_shop: Path, tmp_path: Path):
    done(trained_shop, "orders", "--as-of", AS_OF, "--out", str(tmp_path / "orders.csv"), *CHEAP_FORECAST)
    done(trained_shop, "orders", "--as-of", AS_OF, "--out", str(tmp_path / "orders.parquet"), *CHEAP_FORECAST)
    flat, nested = pacsv.read_csv(tmp_path / "orders.csv"), pq.read_table(tmp_path / "orders.parquet")
    assert flat.column_names == nested.column_names == list(ORDER_PROPOSALS.column_names)
    assert flat["reason_codes"].to_pylist() == ["; ".join(codes) for codes in nested["reason_codes"].to_pylist()]


def test_demand_needs_no_model_and_is_the_same_in_both_formats(shop: Path, tmp_path: Path):
    for ending in ("csv", "parquet"):
        said = done(shop, "demand", "--as-of", AS_OF, "--location", "s0", "--out", str(tmp_path / f"days.{ending}"))
    flat, typed = pacsv.read_csv(tmp_path / "days.csv"), pq.read_table(tmp_path / "days.parquet")
    assert typed.column_names == flat.column_names == list(DEMAND_DAYS.column_names)
    assert f"{len(typed):,} rows as of {AS_OF}" in said.stdout
    assert flat["sold_units"].to_pylist() == typed["sold_units"].to_pylist()
    assert max(typed["day"].to_pylist()) == date.fromisoformat(AS_OF)
    assert set(typed["location_id"].to_pylist()) == {"s0"}


def test_demand_of_an_unknown_product_leaves_the_file_that_was_there(shop: Path, tmp_path: Path):
    out = tmp_path / "days.csv"
    out.write_text("from yesterday")
    ended = onebasket(shop, "demand", "--as-of", AS_OF, "--product", "p999", "--out", str(out))
    assert ended.exit_code == 2
    assert "error: nothing of product 'p999' was handed over or listed up to 2024-04-28" in ended.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"days.csv": "from yesterday"}


def test_a_model_trained_on_just_this_is_used(trained_shop: Path, tmp_path: Path):
    told = done(trained_shop, "orders", "--as-of", AS_OF, "--out", str(tmp_path / "orders.csv"), *CHEAP_FORECAST)
    assert "training" not in told.stderr


def test_a_model_that_is_missing_is_trained_and_not_registered(own_trained_shop: Path, tmp_path: Path):
    out = str(tmp_path / "lists.csv")
    first = done(own_trained_shop, "recommend", "--as-of", "2024-04-01", "--out", out, *CHEAP)
    assert "no recommend model was trained as of 2024-04-01" in first.stderr
    assert len(Store(Workspace(own_trained_shop)).versions("recommend")) == 1
    again = done(own_trained_shop, "recommend", "--as-of", "2024-04-01", "--out", out, *CHEAP)
    assert "training" not in again.stderr


def test_a_day_shortly_after_the_last_purchase_is_a_day_like_any_other(own_shop: Path, tmp_path: Path):
    out = tmp_path / "forecast.parquet"
    done(own_shop, "forecast", "--as-of", "2024-05-21", "--out", str(out), *CHEAP_FORECAST)
    assert min(pq.read_table(out)["target_date"].to_pylist()) == date(2024, 5, 22)


def test_an_export_that_needs_no_training_goes_on_while_another_process_writes(trained_shop: Path, tmp_path: Path):
    with Workspace(trained_shop).writing("ingest"):
        done(trained_shop, "orders", "--as-of", AS_OF, "--out", str(tmp_path / "orders.csv"), *CHEAP_FORECAST)


def test_a_full_disk_leaves_the_file_that_was_there(trained_shop: Path, tmp_path: Path):
    out = tmp_path / "lists.parquet"
    out.write_text("from yesterday")
    limited = (
        "import resource, sys; from training.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); main()"
    )
    arguments = ["recommend", "--as-of", AS_OF, "--out", str(out), "--workspace", str(trained_shop), *CHEAP]
    ended = subprocess.run([sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "error: no more can be written to the disk" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"lists.parquet": "from yesterday"}


def test_ctrl_c_while_writing_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stopped(table: Any, path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(exports.WRITERS, ".csv", stopped)
    (tmp_path / "lists.csv").write_text("from yesterday")
    with pytest.raises(KeyboardInterrupt):
        write_file(pa.table({"a": [1]}), tmp_path / "lists.csv")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"lists.csv": "from yesterday"}


@pytest.mark.parametrize("surface", ["for-you", "buy-again", "with-basket", "similar", "trending"])
def test_ctrl_c_at_an_export_ends_with_130_and_says_what_was_kept(
    surface: str, trained_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stopped(*_: Any) -> pa.Table:
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "recommendation_table", stopped)
    out = tmp_path / "lists.csv"
    ended = onebasket(trained_shop, "recommend", "--as-of", AS_OF, "--surface", surface, "--out", str(out), *CHEAP)
    assert ended.exit_code == 130
    assert ended.stderr.splitlines()[-1] == "stopped; no file was written; a model that was already fitted is kept"
    assert not out.exists()


@pytest.mark.parametrize("name", ["lists", "lists.xlsx", "lists.parquet.gz"])
def test_a_file_of_another_format_is_refused(name: str, tmp_path: Path):
    with pytest.raises(ExportError, match=r"use \.parquet or \.csv"):
        write_file(pa.table({"a": [1]}), tmp_path / name)
