"""Where it is sold: regions with weather, stores that open, dark stores, a warehouse; and the holidays."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.plan import PLACES, WEATHER, Plan

Array = npt.NDArray[Any]
REGIONS = ("华东", "华南", "华北", "西南")
MILD = (17.0, 23.0, 13.0, 17.0)  # mean temperature of each region
PEOPLE_PER_STORE = 600
MOST_STORES = 400
NEW_SHARE = 0.1  # of the stores open during the sample
FORECAST_DAYS = (3, 1)  # days ahead of which a weather forecast is kept


@dataclass(frozen=True)
class Places:
    """Locations by index: stores first, then a dark store for each region, then the warehouse.

    opens    first day of each, on the sample's count
    region   index into REGIONS
    stores   how many stores
    """

    codes: Array
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    region: Array
    opens: Array
    stores: int

    @property
    def warehouse(self) -> int:
        return len(self.codes) - 1

    def dark_store(self, region: Array) -> Array:
        return self.stores + region


@dataclass(frozen=True)
class Days:
    """What is known of each day: temperatures and rain by [day, region], holidays and how busy it is.

    seen     [day, region, 3] low, high, rain
    told     [ahead, day, region, 3] the same as forecast FORECAST_DAYS before
    usual    [day, region] the high that is usual for the season
    holidays name or ''
    eve      whether a holiday comes within a week
    open     false on the first day of the Spring Festival
    weekday  0 = Monday
    """

    seen: Array
    told: Array
    usual: Array
    holidays: tuple[str, ...]
    eve: Array
    open: Array
    weekday: Array


def draw_places(plan: Plan) -> Places:
    """Draw the shops."""
    random = plan.random(PLACES)
    stores = int(np.clip(plan.customers // PEOPLE_PER_STORE, 4, MOST_STORES))
    region = np.concatenate([np.arange(stores) % len(REGIONS), np.arange(len(REGIONS)), [0]])
    new = max(1, int(stores * NEW_SHARE))
    opens = np.zeros(len(region), np.int64)
    opens[stores - new : stores] = (random.uniform(0.2, 0.7, new) * plan.days).astype(np.int64)
    codes = [f"S{number + 1:03d}" for number in range(stores)]
    names = [f"{REGIONS[region[number]]}{number + 1:03d}店" for number in range(stores)]
    return Places(
        codes=np.array([*codes, *(f"D{number + 1:02d}" for number in range(len(REGIONS))), "W01"]),
        names=(*names, *(f"{name}前置仓" for name in REGIONS), "总仓"),
        kinds=(*["store"] * stores, *["dark_store"] * len(REGIONS), "warehouse"),
        region=region, opens=opens, stores=stores,
    )  # fmt: skip


def draw_days(plan: Plan) -> Days:
    """Draw the weather and look up the holidays."""
    random = plan.random(WEATHER)
    shape = (plan.days, len(REGIONS))
    day_of_year = np.array([plan.date(day).timetuple().tm_yday for day in range(plan.days)])
    usual = np.array(MILD) + 4 + 11 * np.cos(2 * np.pi * (day_of_year[:, None] - 205) / 365.25)
    off = np.zeros(shape)
    shocks = random.normal(0, 2.2, shape)
    for day in range(1, plan.days):  # weather lasts: an AR(1)
        off[day] = 0.7 * off[day - 1] + shocks[day]
    rain = np.where(random.random(shape) < 0.28, random.gamma(1.2, 8.0, shape), 0.0)
    high = usual + off - (rain > 0) * 2
    seen = np.round(np.stack([high - random.uniform(5, 10, shape), high, rain], axis=-1), 1)
    told = np.stack([_forecast(seen, ahead, random) for ahead in FORECAST_DAYS])
    names = _holidays(plan)
    eve = np.array([any(names[day + ahead] for ahead in range(1, 8) if day + ahead < len(names))
                    for day in range(plan.days)])  # fmt: skip
    closed = [names[day] == "春节" and not (day and names[day - 1] == "春节") for day in range(plan.days)]
    return Days(seen, told, usual, names[: plan.days], eve, ~np.array(closed),
                np.array([plan.date(day).weekday() for day in range(plan.days)]))  # fmt: skip


def _forecast(seen: Array, ahead: int, random: np.random.Generator) -> Array:
    """What was expected `ahead` days before: the truth with an error that grows with the distance."""
    told = seen + random.normal(0, 0.9 * ahead, seen.shape)
    told[..., 2] = np.maximum(0, seen[..., 2] * random.lognormal(0, 0.3 * ahead, seen.shape[:2]))
    told[..., 0] = np.minimum(told[..., 0], told[..., 1])
    return np.round(told, 1)


# First day and length of the Spring Festival and of the National Day holidays; other years have only fixed ones.
SPRING = {2022: (2, 1), 2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26)}


def _holidays(plan: Plan) -> tuple[str, ...]:
    """The name of the holiday of each day and of the week after the last, '' on ordinary days."""
    return tuple(holiday_of(plan.date(day)) for day in range(plan.days + 8))


def holiday_of(day: date) -> str:
    """The public holiday of a day in China, '' for none (the fixed ones, and the Spring Festival's seven days)."""
    if day.year in SPRING:
        first = date(day.year, *SPRING[day.year])
        if first <= day < first + timedelta(days=7):
            return "春节"
    if day.month == 10 and day.day <= 7:
        return "国庆节"
    if (day.month, day.day) == (1, 1):
        return "元旦"
    return "劳动节" if day.month == 5 and day.day <= 3 else ""
