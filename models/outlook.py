"""What is to come for each customer and thing: the distribution of the days until the next purchase.

A distribution is held as hazards of bins of days: the chance that the purchase comes in a bin if it came in none
before. Within a bin every day has the same hazard. What is left after the last bin is later or never.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from features.arrays import open_record, save_record
from features.customers import Long, spread
from features.history import UNKNOWN, Float, Int

BIN_ENDS = (2, 4, 7, 10, 14, 21, 28, 42, 63, 90)  # last day of each bin, days ahead
HORIZON_DAYS = BIN_ENDS[-1]
WINDOW_DAYS = 3  # to either side of the likeliest day
EARLY, LATE = 0.2, 0.8


@dataclass(frozen=True)
class Due:
    """When the next purchase is expected if it comes within HORIZON_DAYS; arrays of days ahead, from 1 on.

    likeliest         the middle of the most probable window of ±3 days
    median            as likely before as after
    earliest, latest  one in five comes before, one in five after
    """

    likeliest: Int
    median: Int
    earliest: Int
    latest: Int


@dataclass(frozen=True)
class Outlook:
    """One entry per customer and thing it has bought, sorted by customer, then thing, as `Owned` is.

    start     int64 [customers + 1]: entries of customer c are start[c] … start[c + 1] - 1
    thing     int32, product or category code
    first_day int32, day number of the first purchase; likewise last_day
    purchases int32, days with a purchase so far
    hazard    float32 [entries, bins]
    """

    things: int
    as_of_day: int
    start: Long
    thing: Int
    first_day: Int
    last_day: Int
    purchases: Int
    hazard: Float

    def __len__(self) -> int:
        return len(self.thing)

    def find(self, customer: Int, thing: Int) -> Long:
        """The entry of each (customer, thing) pair, -1 where it was never bought or a code is -1."""
        if not len(self):
            return np.full(len(customer), UNKNOWN, np.int64)
        known = np.maximum(customer, 0)
        low, high = self.start[known], self.start[known + 1]
        end = high
        while (low < high).any():
            middle = (low + high) // 2
            below = (low < high) & (self.thing[np.minimum(middle, len(self) - 1)] < thing)
            high = np.where(below | (low >= high), high, middle)
            low = np.where(below, middle + 1, low)
        inside = (customer >= 0) & (low < end)
        return np.where(inside & (self.thing[np.minimum(low, len(self) - 1)] == thing), low, UNKNOWN)

    def entries(self, customer: Int) -> tuple[Int, Long]:
        """Every entry of the customers asked for: the position in `customer`, and the entry; unknown (-1) has none."""
        return spread(self.start, customer)

    @cached_property
    def customer(self) -> Int:
        """Customer code of each entry."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.int32), np.diff(self.start))

    def mean_gap(self, entry: Long) -> Float:
        """Mean days between two days with a purchase; NaN below two such days."""
        gaps = self.purchases[entry] - 1.0
        days = self.last_day[entry] - self.first_day[entry]
        return np.where(gaps > 0, days / np.maximum(gaps, 1), np.nan).astype(np.float32)

    def within(self, days: int, entry: Long | slice = slice(None)) -> Float:
        """Chance of a purchase on one of the next `days` days, at most HORIZON_DAYS, float32 [entries]."""
        return within(self.hazard[entry], days)

    def survival(self, entry: Long) -> Float:
        """Chance of no purchase up to the end of each coming day, float32 [entries, HORIZON_DAYS]."""
        return 1 - np.cumsum(daily(self.hazard[entry]), axis=1, dtype=np.float32)

    def daily(self, entry: Long) -> Float:
        """Chance that the next purchase falls on each coming day, float32 [entries, HORIZON_DAYS]."""
        return daily(self.hazard[entry])

    def stopped(self, entry: Long | slice = slice(None)) -> Float:
        """Chance of no purchase within HORIZON_DAYS, float32 [entries]: the customer has stopped, or nearly so."""
        return np.asarray(np.prod(1 - self.hazard[entry], axis=1), np.float32)

    def due(self, entry: Long) -> Due:
        """When the next purchase of each entry is expected, if it comes within HORIZON_DAYS."""
        return due(daily(self.hazard[entry]))

    def save(self, folder: Path) -> None:
        save_record(folder, self)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Reopen, memory-mapped. Raises BundleError when a file is missing or damaged."""
        return open_record(folder, cls)


def daily_hazard(hazard: Float) -> Float:
    """Hazards of bins as hazards of days, float32 [entries, HORIZON_DAYS]."""
    widths = np.diff(BIN_ENDS, prepend=0)
    each = -np.expm1(np.log1p(-np.minimum(hazard, np.float32(0.999999))) / widths.astype(np.float32))
    return np.asarray(np.repeat(each, widths, axis=1), np.float32)


def daily(hazard: Float) -> Float:
    """Chance that the next purchase falls on each coming day, float32 [entries, HORIZON_DAYS]."""
    each = daily_hazard(hazard)
    stays = np.cumprod(1 - each, axis=1, dtype=np.float32)
    each[:, 1:] *= stays[:, :-1]
    return each


def within(hazard: Float, days: int) -> Float:
    """Chance of a purchase on one of the next `days` days, float32 [entries]."""
    ends = np.asarray(BIN_ENDS)
    if not 1 <= days <= HORIZON_DAYS:
        raise ValueError(f"{days} days: a purchase is foreseen 1 to {HORIZON_DAYS} days ahead")
    whole = int(np.searchsorted(ends, days, side="right"))
    stays = np.prod(1 - hazard[:, :whole], axis=1)
    begin = int(ends[whole - 1]) if whole else 0
    if begin < days:
        stays *= (1 - hazard[:, whole]) ** np.float32((days - begin) / (ends[whole] - begin))
    return np.asarray(1 - stays, np.float32)


def due(chance: Float) -> Due:
    """Read days off the distribution over days, `chance` [entries, days], cut at its last day."""
    total = np.cumsum(chance, axis=1, dtype=np.float64)
    share = total / np.maximum(total[:, -1:], 1e-30)
    days = share.shape[1]
    padded = np.concatenate([np.zeros((len(share), WINDOW_DAYS + 1)), share,
                             np.repeat(share[:, -1:], WINDOW_DAYS, axis=1)], axis=1)  # fmt: skip
    window = padded[:, 2 * WINDOW_DAYS + 1 :] - padded[:, :days]
    median, earliest, latest = ((share < part).sum(axis=1) + 1 for part in (0.5, EARLY, LATE))
    return Due(*(np.asarray(np.minimum(day, days), np.int32)
                 for day in (window.argmax(axis=1) + 1, median, earliest, latest)))  # fmt: skip
