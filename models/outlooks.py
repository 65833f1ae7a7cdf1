"""What is to come for every customer, product and category as of a day: kept once, looked up by whoever ranks or plans.

Hazards are computed once per customer × thing that was ever bought; everything here is look-ups and small sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from features.customers import Long, customers_of
from features.history import EPOCH, Float, Int, Purchases
from models.outlook import BIN_ENDS, HORIZON_DAYS, Outlook

TIMING_COLUMNS = ("chance", "category_chance", "due_days", "elapsed_by_due", "stopped", "category_stopped")
CHUNK = 100_000  # entries whose days are laid out at once


@dataclass(frozen=True)
class Outlooks:
    """What is to come for customers × products and customers × finest categories; `category` int32 [products]."""

    products: Outlook
    categories: Outlook
    category: Int

    def save(self, folder: Path) -> None:
        self.products.save(folder / "products")
        self.categories.save(folder / "categories")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        """Reopen what `save` wrote for that history."""
        products, categories = (Outlook.open(folder / name) for name in ("products", "categories"))
        return cls(products, categories, purchases.catalog.finest)

    def features(self, customer: Int, product: Int, target_days: int) -> Float:
        """What a ranker wants to know of (customer, product) pairs, float32 [pairs, TIMING_COLUMNS].

        chance, category_chance    of buying the product, its category, within `target_days`
        due_days                   median days until the product is bought, counted from today; the horizon if never
        elapsed_by_due             days since the last purchase ÷ (those + due_days)
        stopped, category_stopped  chance of no purchase within HORIZON_DAYS

        NaN where the customer never bought the product, or the category, or has no code.
        """
        matrix = np.full((len(customer), len(TIMING_COLUMNS)), np.nan, np.float32)
        own = self.products.find(customer, product)
        pairs = np.flatnonzero(own >= 0)
        hazard, entry = self.products.hazard[own[pairs]], own[pairs]
        due_days = median_days(hazard)
        since = self.products.as_of_day - self.products.last_day[entry]
        matrix[pairs, 0] = self.products.within(target_days, entry)
        matrix[pairs, 2], matrix[pairs, 3] = due_days, since / (since + due_days)
        matrix[pairs, 4] = self.products.stopped(entry)
        wide = self.categories.find(customer, np.where(product >= 0, self.category[product], -1).astype(np.int32))
        pairs = np.flatnonzero(wide >= 0)
        matrix[pairs, 1] = self.categories.within(target_days, wide[pairs])
        matrix[pairs, 5] = self.categories.stopped(wide[pairs])
        return matrix


def median_days(hazard: Float) -> Float:
    """Days until a purchase is as likely as not, float32 [entries]; HORIZON_DAYS if that is later.

    Of all who might buy, those who never will included; cheaper than `Outlook.due`.
    """
    ends = np.asarray((0, *BIN_ENDS), np.float32)
    gone = -np.cumsum(np.log1p(-np.minimum(hazard, np.float32(0.999999))), axis=1)
    bins = (gone < np.log(2)).sum(axis=1)
    inside = np.minimum(bins, len(BIN_ENDS) - 1)
    rows = np.arange(len(hazard))
    before = np.where(inside > 0, gone[rows, np.maximum(inside - 1, 0)], 0)
    part = (np.log(2) - before) / np.maximum(gone[rows, inside] - before, 1e-9)
    days = ends[inside] + np.clip(part, 0, 1) * (ends[inside + 1] - ends[inside])
    return np.where(bins < len(BIN_ENDS), days, HORIZON_DAYS).astype(np.float32)


def expected_purchases(outlooks: Outlooks, purchases: Purchases, days: int, half_life_days: float) -> pa.Table:
    """Next purchases to be expected per product, location and coming day, from known customers alone.

    EXPECTED_PURCHASES rows: the chance that the next purchase falls on the day, summed over all customers who have
    bought the product, at their usual location (null where none is known). A customer's second purchase within
    `days` is not in it, nor are anonymous buyers and products that a customer never bought. Rows are sorted by
    product, location, day.
    """
    outlook = outlooks.products
    locations = len(purchases.locations) + 1  # the last one: not known
    home = customers_of(purchases, half_life_days).home_location
    place = outlook.thing.astype(np.int64) * locations + home[outlook.customer] % locations
    cells, cell = np.unique(place, return_inverse=True)
    total = np.zeros((len(cells), days))
    for chunk in _chunks(len(outlook)):
        chance = outlook.daily(chunk)[:, :days]
        for ahead in range(days):
            total[:, ahead] += np.bincount(cell[chunk], chance[:, ahead], minlength=len(cells))
    product, location = cells // locations, cells % locations
    names = pa.array([*purchases.locations.values, None], pa.string())
    first = EPOCH + timedelta(days=outlook.as_of_day + 1)
    dates = pa.array([first + timedelta(days=ahead) for ahead in range(days)], pa.date32())
    return pa.table({
        "product_id": pa.array(purchases.products.values, pa.string()).take(pa.array(np.repeat(product, days))),
        "location_id": names.take(pa.array(np.repeat(location, days))),
        "made_on": pa.array([purchases.as_of] * (len(cells) * days), pa.date32()),
        "target_date": dates.take(pa.array(np.tile(np.arange(days), len(cells)))),
        "expected_purchases": pa.array(total.ravel()),
    })  # fmt: skip


def _chunks(count: int) -> Iterator[Long]:
    for begin in range(0, count, CHUNK):
        yield np.arange(begin, min(begin + CHUNK, count))
