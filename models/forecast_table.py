"""A forecast as the FORECAST table."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from features.tables import FORECAST, QUANTILE_COLUMNS
from models.contracts import Forecast


def forecast_table(forecast: Forecast, model_version: str) -> pa.Table:
    """One row per series and target date with the FORECAST columns, sorted by location, product and date."""
    series, horizon = forecast.mean_units.shape
    product, location = np.array(forecast.product_ids, object), np.array(forecast.location_ids, object)
    order = np.lexsort((product, location)) if series else np.empty(0, np.intp)
    dates = [forecast.made_on + timedelta(days=step) for step in range(1, horizon + 1)]
    rows = np.repeat(order, horizon)
    columns = {
        "product_id": pa.array(forecast.product_ids, pa.string()).take(pa.array(rows)),
        "location_id": pa.array(forecast.location_ids, pa.string()).take(pa.array(rows)),
        "made_on": pa.repeat(pa.scalar(forecast.made_on, pa.date32()), len(rows)),
        "target_date": pa.array(dates, pa.date32()).take(pa.array(np.tile(np.arange(horizon), series))),
        "mean_units": forecast.mean_units[order].ravel().astype(np.float64),
        "model_version": pa.repeat(pa.scalar(model_version, pa.string()), len(rows)),
    }
    for level, name in enumerate(QUANTILE_COLUMNS):
        columns[name] = forecast.quantiles[order, :, level].ravel().astype(np.float64)
    return pa.table({name: columns[name] for name in FORECAST.column_names})
