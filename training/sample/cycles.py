"""When each household needs each category again: gamma intervals, stepped from day to day."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.assortment import CATEGORIES, PRODUCTS_PER_CATEGORY, Assortment
from training.sample.people import People
from training.sample.places import Days
from training.sample.plan import CYCLES, VISITS, Plan

Array = npt.NDArray[Any]
SHAPE = 4.0  # of the gamma intervals: their coefficient of variation is 0.5
BUYERS = 0.6  # of the households buy a category at all
SPREAD = 0.35  # log-normal spread of households' cycles around the category's
LOYAL = 0.6  # of the choices fall on the household's favourite of the category
VISIT = (0.42, 0.40, 0.42, 0.45, 0.55, 0.72, 0.66)  # chance that a household shops, Monday to Sunday
EVE = 1.15  # more shopping in the week before a holiday


@dataclass(frozen=True)
class Habits:
    """What each household is used to: `cycle_days` and `favourite` by [household, category], 0 and -1 for never."""

    cycle_days: Array
    favourite: Array


def draw_habits(plan: Plan, people: People, goods: Assortment) -> Habits:
    """Draw the habits; larger households need things sooner."""
    random = plan.random(CYCLES)
    shape = (people.households, len(CATEGORIES))
    size = np.bincount(people.household, minlength=people.households)
    usual = np.array([category.cycle_days for category in CATEGORIES], np.float32)
    cycle = usual * random.lognormal(0, SPREAD, shape).astype(np.float32) / np.sqrt(size / 2.0)[:, None]
    cycle = np.where(random.random(shape, np.float32) < BUYERS, np.maximum(cycle, 1.5), 0).astype(np.float32)
    favourite = np.empty(shape, np.int16)
    for category in range(len(CATEGORIES)):
        low = category * PRODUCTS_PER_CATEGORY
        share = goods.share[low : low + PRODUCTS_PER_CATEGORY]
        favourite[:, category] = low + random.choice(PRODUCTS_PER_CATEGORY, shape[0], p=share / share.sum())
    favourite[cycle == 0] = -1
    return Habits(cycle, favourite)


@dataclass
class DueDates:
    """The day on which each household needs each category next, as known on the morning of `day`.

    A worker steps through every day, which costs little, and draws baskets for its own days only.
    """

    plan: Plan
    habits: Habits
    days: Days
    day: int = -1
    _due: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        start = self.plan.random(CYCLES, 1).random(self.habits.cycle_days.shape, np.float32)
        never = self.habits.cycle_days == 0
        self._due = np.where(never, np.float32(np.inf), start * self.habits.cycle_days - 1)

    def shopping(self, day: int) -> tuple[Array, Array]:
        """(household, category) of everything bought on `day`; days must be asked for in ascending order."""
        bought = None
        while self.day < day:
            self.day += 1
            bought = self._step(self.day)
        assert bought is not None, f"day {day} was already passed: the due dates stand at {self.day}"
        return bought

    def _step(self, day: int) -> tuple[Array, Array]:
        random = self.plan.random(VISITS, day)
        chance = VISIT[self.days.weekday[day]] * (EVE if self.days.eve[day] else 1.0) * self.days.open[day]
        visiting = np.flatnonzero(random.random(len(self._due), np.float32) < chance)
        place, category = np.nonzero(self._due[visiting] <= day)
        household = visiting[place]
        cycle = self.habits.cycle_days[household, category]
        wait = random.standard_gamma(SHAPE, len(household), np.float32) * cycle / np.float32(SHAPE)
        self._due[household, category] = day + np.maximum(wait, 1)
        return household, category
