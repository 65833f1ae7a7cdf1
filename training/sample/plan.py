"""How large the sample is, when it begins, and where its randomness comes from."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from features.errors import SampleError

Files = Literal["day", "month", "whole"]
YEARS = range(2022, 2029)  # whose Spring Festival is known
SECONDS = 86_400
LOCAL_SECONDS = 8 * 3600  # Asia/Shanghai is eight hours ahead of UTC all year
LINES_PER_PERSON_AND_DAY = 0.466  # 3,000 customers over 366 days made 511,805


@dataclass(frozen=True)
class Plan:
    """What is asked for. Equal plans give equal bytes, whatever the number of workers."""

    customers: int
    days: int
    seed: int
    starts_on: date = date(2024, 1, 1)
    files: Files = "day"

    def random(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each stream of numbers, so that days and parts do not depend on each other."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *stream])))

    def date(self, day: int) -> date:
        return self.starts_on + timedelta(days=day)

    def midnight(self, day: int) -> int:
        """Local midnight of a day in seconds since 1970, as a wall clock counts."""
        return ((self.starts_on - date(1970, 1, 1)).days + day) * SECONDS


def customers_for(lines: int, days: int) -> int:
    """About how many customers make so many order lines; at least 200."""
    return max(200, round(lines / days / LINES_PER_PERSON_AND_DAY))


def first_day(text: str, days: int) -> date:
    """The day that a sample of so many days begins; SampleError where it is none or the Spring Festival is unknown."""
    try:
        starts_on = date.fromisoformat(text)
    except ValueError as fault:
        raise SampleError(f"--starts-on {text!r} is not a day: write such as 2024-01-01") from fault
    years = {starts_on.year, (starts_on + timedelta(days=days)).year}
    if not years <= set(YEARS):
        raise SampleError(f"--starts-on {text}: the sample knows the holidays of {YEARS[0]} to {YEARS[-1]}: "
                          "begin later or ask for fewer --days")  # fmt: skip
    return starts_on


# The first number of each stream of randomness.
(
    PRODUCTS,
    PRICES,
    PLACES,
    WEATHER,
    PEOPLE,
    EVIDENCE,
    CYCLES,
    VISITS,
    BASKETS,
    LINES,
    SHELVES,
    ORDERS,
    AFTER,
    DELIVERY,
    WISHES,
    STOCK,
) = range(16)
