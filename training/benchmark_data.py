"""Public data in the forms that benchmarks need: read from a folder that the user names."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.demand import DayFacts, Panel
from features.history import Float, Ids

M5_FIRST_DAY = date(2011, 1, 29)
M5_LAST_DAY = date(2016, 5, 22)  # d_1941


def m5_panel(folder: Path, as_of: date, history_days: int = 800, ahead_days: int = 28) -> Panel:
    """The 2,147 series over ten shops as of a day: `history_days` days, events as holidays, prices paid so far."""
    wide = pd.read_parquet(folder / "sales_2147series_10stores_daily_wide.parquet").sort_values(["store_id", "item_id"])
    last = (as_of - M5_FIRST_DAY).days + 1
    first = max(1, last - history_days + 1)
    units = wide[[f"d_{day}" for day in range(first, last + 1)]].to_numpy(np.float32, copy=True)
    before = wide[[f"d_{day}" for day in range(1, first)]].to_numpy().sum(axis=1) > 0
    launch = np.where(before, 0, (units > 0).argmax(axis=1))
    units[np.arange(units.shape[1]) < launch[:, None]] = np.nan
    sold = np.nansum(units, axis=1) > 0
    wide, units = wide[sold], units[sold]
    first_day = M5_FIRST_DAY + timedelta(days=first - 1)
    columns = [wide["cat_id"], wide["dept_id"]]
    category = np.stack([Ids(column).codes(column.tolist()) for column in columns], axis=1)
    return Panel(
        as_of=as_of,
        first_day=first_day,
        product_ids=wide["item_id"].tolist(),
        location_ids=wide["store_id"].tolist(),
        units=units,
        available=None,
        price=_prices(folder, wide, first_day, units.shape[1]),
        category=category,
        facts=_facts(folder, first_day, units.shape[1] + ahead_days),
        planned={},
        ahead_days=ahead_days,
    )


def m5_actuals(folder: Path) -> Callable[[Panel, int], Float]:
    """A function giving the units sold in the days after a panel's end, float32 [series, days]."""
    wide = pd.read_parquet(folder / "sales_2147series_10stores_daily_wide.parquet").set_index(["store_id", "item_id"])

    def actuals(panel: Panel, horizon_days: int) -> Float:
        start = (panel.as_of - M5_FIRST_DAY).days + 2
        rows = wide.loc[list(zip(panel.location_ids, panel.product_ids, strict=True))]
        return rows[[f"d_{day}" for day in range(start, start + horizon_days)]].to_numpy(np.float32)

    return actuals


def _calendar(folder: Path) -> pd.DataFrame:
    calendar = pd.read_parquet(folder / "calendar.parquet")
    return calendar.assign(date=pd.to_datetime(calendar["date"]).dt.date).set_index("date")


def _facts(folder: Path, first_day: date, days: int) -> DayFacts:
    dates = [first_day + timedelta(days=step) for step in range(days)]
    events = _calendar(folder)["event_name_1"].reindex(dates).tolist()
    names = Ids(name for name in events if isinstance(name, str))
    return DayFacts(
        first_day=first_day,
        is_open=np.array([name != "Christmas" for name in events]),
        holiday=names.codes([name if isinstance(name, str) else None for name in events]),
        holidays=tuple(names.values),
        working_day=np.array([day.weekday() < 5 for day in dates]),
    )


def _prices(folder: Path, wide: pd.DataFrame, first_day: date, days: int) -> Float:
    dates = [first_day + timedelta(days=step) for step in range(days)]
    weeks = _calendar(folder)["wm_yr_wk"].reindex(dates).to_numpy()
    paid = pd.read_parquet(folder / "sell_prices.parquet")
    table = paid.pivot_table(index=["store_id", "item_id"], columns="wm_yr_wk", values="sell_price")
    by_week = table.reindex(pd.MultiIndex.from_frame(wide[["store_id", "item_id"]])).ffill(axis=1)
    return by_week.reindex(columns=weeks).to_numpy(np.float32)


def fresh_retail(folder: Path) -> tuple[Float, npt.NDArray[np.int8]]:
    """FreshRetailNet-50K: units by series and day, and of the 16 hours from 6 to 22 how many were out of stock."""
    columns = ["store_id", "product_id", "dt", "sale_amount", "stockout_hours_6_22"]
    daily = pd.read_parquet(folder / "daily.parquet", columns=columns).sort_values(columns[:3])
    days = daily["dt"].nunique()
    units = np.round(daily["sale_amount"].to_numpy(np.float64), 3).astype(np.float32)
    return units.reshape(-1, days), daily["stockout_hours_6_22"].to_numpy(np.int8).reshape(-1, days)
