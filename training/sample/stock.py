"""The daily stock export: series that ran out, and on Mondays all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.sample.arrow_text import named
from training.sample.plan import STOCK
from training.sample.shelves import available_share
from training.sample.world import Setting


def write_stock(world: Setting, day: int, folder: Path) -> None:
    """Write the day's file; only series that are offered are in it."""
    goods, places = world.goods, world.places
    share = available_share(world, day)
    offered = np.outer(places.opens <= day, (goods.launched <= day) & (day < goods.ended))
    monday = world.days.weekday[day] == 0
    location, product = np.nonzero(offered & ((share < 1) | monday))
    share = share[location, product]
    units = world.plan.random(STOCK, day).integers(4, 60, len(share)).astype(float)
    table: Any = pa.table({
        "product": named(product, goods.codes).cast(pa.string()),
        "location": named(location, places.codes).cast(pa.string()),
        "day": pa.array([world.plan.date(day)] * len(share), pa.date32()),
        "closing_units": np.where(share < 1, 0.0, units), "available_share": share,
    })  # fmt: skip
    path = folder / "exports" / "stock" / f"stock-{world.plan.date(day):%Y%m%d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="snappy")
