"""Possible stock-outs that no stock file tells of, in the busiest locations."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.demand_days import demand_days
from features.engine import Engine
from features.errors import HistoryError
from features.quality_volume import DAILY, Figures
from features.workspace import Snapshot

LOCATIONS = 3  # the busiest: every product of a location is looked at day by day
SHOWN_PRODUCTS = 20

Parts = Callable[..., Iterator[pa.Table]]


def stockouts(engine: Engine, snapshot: Snapshot, days: Parts = demand_days) -> Figures:
    """Days of products that probably had none to sell, by location: a flag and no truth.

    `days` gives the days of a location's products.
    """
    busiest = engine.rows(
        f"SELECT location_id FROM {DAILY} GROUP BY 1 ORDER BY sum(lines) DESC, location_id LIMIT {LOCATIONS}"
    )
    every = int(engine.rows(f"SELECT count(DISTINCT location_id) FROM {DAILY}")[0][0])
    found = [_of_location(days, snapshot, location) for (location,) in busiest]
    total, flagged = (sum(one[key] for one in found) for key in ("product_days", "suspected"))
    products = [product for one in found for product in one.pop("products")]
    products.sort(key=lambda one: (-one["missed_units"], one["location_id"], one["product_id"]))
    return {
        "locations": every, "product_days": total, "suspected": flagged, "share": flagged / total if total else 0.0,
        "by_location": found, "products": products[:SHOWN_PRODUCTS],
    }  # fmt: skip


def _of_location(days: Parts, snapshot: Snapshot, location: str) -> Figures:
    product_days, flagged, missed = 0, 0, 0.0
    products: list[dict[str, Any]] = []
    try:
        for part in days(snapshot, snapshot.last_day, location):
            product_days += pc.sum(pc.and_(part["ranged"], part["is_open"])).as_py() or 0
            rows = part.filter(pc.fill_null(part["suspected_stockout"], False))
            flagged += len(rows)
            missed += pc.sum(rows["missed_units"]).as_py() or 0.0
            summed = rows.group_by(["location_id", "product_id"]).aggregate([("day", "count"), ("missed_units", "sum")])
            products += [
                {"location_id": row["location_id"], "product_id": row["product_id"], "days": row["day_count"],
                 "missed_units": row["missed_units_sum"]}
                for row in summed.to_pylist()
            ]  # fmt: skip
    except HistoryError:  # nothing was ever handed over there
        pass
    return {"location_id": location, "product_days": product_days, "suspected": flagged, "missed_units": missed,
            "products": products}  # fmt: skip
