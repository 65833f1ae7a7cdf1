"""The typical gap of a customer's own product, from its gaps and, while those are few, from other customers'.

A simple estimate: gaps are those seen so far. A gap that is still open is not counted, so that a customer who will
never come back is not known as such. `models/repurchase.py` knows; this is cheap and needs no training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from features.arrays import open_record, save_record
from features.customers import Long, Owned
from features.history import Float, Int, Purchases

PRIOR_GAPS = 2.0  # own gaps that weigh as much as the product's median
PRIOR_PRODUCT_GAPS = 20.0  # gaps of a product that weigh as much as its category's median
USUAL_GAP_DAYS = 30.0  # where no product was ever bought twice
EARLY, LATE = 0.2, 0.8


@dataclass(frozen=True)
class Due:
    """Day numbers between which the next purchase is expected: one in five falls before, one in five after."""

    day: Int
    earliest: Int
    latest: Int


@dataclass(frozen=True)
class TypicalGaps:
    """Typical gap in days per product, float32 [products], and the quantiles of gap ÷ typical gap."""

    product_gap_days: Float
    early_ratio: float
    late_ratio: float

    @classmethod
    def fit(cls, purchases: Purchases) -> Self:
        """Learn the typical gaps of all known customers."""
        product, gap = _gaps(purchases)
        category = purchases.catalog.finest
        overall = float(np.median(gap)) if len(gap) else USUAL_GAP_DAYS
        categories = int(category.max(initial=-1)) + 1
        known = category[product] >= 0
        by_category = _shrunk_medians(category[product][known], gap[known], np.full(categories, overall))
        prior = np.where(category >= 0, by_category[category] if categories else overall, overall)
        typical = _shrunk_medians(product, gap, prior)
        ratio = gap / typical[product]
        early, late = np.quantile(ratio, [EARLY, LATE]) if len(ratio) else (0.5, 1.5)
        return cls(typical.astype(np.float32), float(early), float(late))

    def gap_days(self, owned: Owned, entry: Long) -> Float:
        """Expected days between two purchases of each entry."""
        own, count = owned.mean_gap(entry), owned.days[entry] - 1.0
        typical = self.product_gap_days[owned.product[entry]]
        gap = (np.where(count > 0, own, 0) * count + typical * PRIOR_GAPS) / (count + PRIOR_GAPS)
        return np.asarray(np.maximum(gap, 1.0), np.float32)

    def due(self, owned: Owned, entry: Long) -> Due:
        """When the next purchase of each entry is expected."""
        gap, last = self.gap_days(owned, entry), owned.last_day[entry]
        days = [np.rint(last + gap * ratio).astype(np.int32) for ratio in (1.0, self.early_ratio, self.late_ratio)]
        return Due(days[0], np.minimum(days[0], days[1]), np.maximum(days[0], days[2]))

    def save(self, folder: Path) -> None:
        save_record(folder, self)

    @classmethod
    def open(cls, folder: Path) -> Self:
        return open_record(folder, cls)


def _gaps(purchases: Purchases) -> tuple[Int, npt.NDArray[np.float64]]:
    """Every gap between two consecutive days on which a known customer bought a product: product, days."""
    rows = np.arange(int(np.searchsorted(purchases.customer, 0)), len(purchases))
    key = purchases.customer[rows].astype(np.int64) * len(purchases.products) + purchases.product[rows]
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    gap = np.diff(purchases.day[rows])
    same = (key[1:] == key[:-1]) & (gap > 0)
    return purchases.product[rows[1:]][same], gap[same].astype(np.float64)


def _shrunk_medians(
    group: Int, gap: npt.NDArray[np.float64], prior: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Median gap per group, drawn to the group's prior while its gaps are few."""
    order = np.lexsort((gap, group))
    start = np.searchsorted(group[order], np.arange(len(prior) + 1))
    count = np.diff(start)
    seen = count > 0
    middle = start[:-1][seen] + (count[seen] - 1) // 2
    median = prior.astype(np.float64).copy()
    median[seen] = gap[order][middle]
    return np.asarray((count * median + PRIOR_PRODUCT_GAPS * prior) / (count + PRIOR_PRODUCT_GAPS), np.float64)
