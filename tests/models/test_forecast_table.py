from datetime import date

import numpy as np

from features.tables import FORECAST
from models.contracts import Forecast
from models.forecast_table import forecast_table


def test_a_forecast_becomes_one_row_per_series_and_day_in_order():
    mean = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    quantiles = np.arange(3 * 2 * 9, dtype=np.float32).reshape(3, 2, 9)
    table = forecast_table(Forecast(date(2024, 2, 28), ["b", "a", "a"], ["x", "x", "w"], mean, quantiles), "v7")
    rows = table.to_pylist()
    assert tuple(table.column_names) == FORECAST.column_names
    assert [(row["location_id"], row["product_id"], row["target_date"].day) for row in rows] == [
        ("w", "a", 29), ("w", "a", 1), ("x", "a", 29), ("x", "a", 1), ("x", "b", 29), ("x", "b", 1),
    ]  # fmt: skip
    assert [row["mean_units"] for row in rows] == [5, 6, 3, 4, 1, 2]
    assert (rows[-1]["q05"], rows[-1]["q99"]) == (9, 17)
    assert {(row["made_on"], row["model_version"]) for row in rows} == {(date(2024, 2, 28), "v7")}


def test_no_series_give_an_empty_table():
    nothing = Forecast(date(2024, 2, 28), [], [], np.empty((0, 3), np.float32), np.empty((0, 3, 9), np.float32))
    assert forecast_table(nothing, "v7").num_rows == 0
