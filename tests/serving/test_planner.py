import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import BundleError
from features.tables import FORECAST
from serving.planner import PlannerTable, Products, harmless
from serving.planner_messages import PlannerQuery


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\tx", "\rx", "+", "-", "-²", "=5"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text):
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["Milk", "-5", "+3.5", "", "A=B", "牛奶"])
def test_other_texts_and_plain_numbers_stay_as_they_are(text):
    assert harmless(text) == text


def empty_forecast() -> pa.Table:
    texts = {"product_id", "location_id", "model_version"}
    days = {"made_on", "target_date"}
    return pa.table({name: pa.array([], pa.string() if name in texts else pa.date32() if name in days else pa.float64())
                     for name in FORECAST.column_names})  # fmt: skip


def test_a_forecast_of_no_series_at_all_answers_with_no_rows(tmp_path):
    pq.write_table(empty_forecast(), tmp_path / "f.parquet")
    table = PlannerTable.open(tmp_path / "f.parquet", Products({}, {}), FORECAST.column_names, "target_date")
    rows = table.select(PlannerQuery(location_id="s0", category="food"))
    assert len(rows) == 0
    assert table.columns(rows)["product_id"] == []
    assert "".join(table.csv_lines(rows, ["product_id", "name"])) == "product_id,name\r\n"


def test_a_table_without_a_promised_column_is_named(tmp_path):
    pq.write_table(empty_forecast().drop_columns(["q95"]), tmp_path / "f.parquet")
    with pytest.raises(BundleError, match="has no q95: train and release the forecast again"):
        PlannerTable.open(tmp_path / "f.parquet", Products({}, {}), FORECAST.column_names, "target_date")
