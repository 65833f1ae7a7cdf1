"""Everything of the sample that does not depend on a day, drawn once in each process."""

from dataclasses import dataclass

import numpy as np

from training.sample.assortment import CATEGORIES, Array, Assortment, draw_assortment
from training.sample.cycles import Habits, draw_habits
from training.sample.evidence import Evidence, draw_evidence
from training.sample.people import People, draw_people
from training.sample.places import Days, Places, draw_days, draw_places
from training.sample.plan import Plan

DISPLAYED = 1.3  # factor of a display
MOST_RESPONSE = 4.0


@dataclass(frozen=True)
class Setting:
    """What is small however many customers there are: goods, places and days."""

    plan: Plan
    goods: Assortment
    places: Places
    days: Days


@dataclass(frozen=True)
class World(Setting):
    """The retailer and its customers."""

    people: People
    evidence: Evidence
    habits: Habits


def draw_setting(plan: Plan) -> Setting:
    """Draw what does not depend on customers."""
    return Setting(plan, draw_assortment(plan), draw_places(plan), draw_days(plan))


def draw_world(plan: Plan) -> World:
    """Draw the world of a plan."""
    setting = draw_setting(plan)
    people = draw_people(plan, setting.places)
    return World(plan, setting.goods, setting.places, setting.days, people, draw_evidence(plan, people),
                 draw_habits(plan, people, setting.goods))  # fmt: skip


def response(world: Setting, day: int) -> Array:
    """[region, product] factor on the units of a line: price, display, season, weather and holidays.

    (price / first price)^-elasticity × display × exp(season × cos(2π (day of year - peak) / 365.25))
    × exp(warmth × (high - usual high) / 10) × holiday; at most MOST_RESPONSE. Plain products only.
    """
    goods, days = world.goods, world.days
    chosen = [CATEGORIES[category] for category in goods.category]
    day_of_year = world.plan.date(day).timetuple().tm_yday
    price = goods.price_fen[day, : goods.plain] / goods.shelf_fen[0, : goods.plain]
    factor = price**-goods.elasticity * np.where(goods.display[day, : goods.plain], DISPLAYED, 1.0)
    peak = np.array([category.peak_day for category in chosen])
    season = np.array([category.season for category in chosen])
    factor *= np.exp(season * np.cos(2 * np.pi * (day_of_year - peak) / 365.25))
    if days.eve[day]:
        factor *= np.array([category.holiday for category in chosen])
    warmth = np.array([category.warmth for category in chosen])
    off = days.seen[day, :, 1] - days.usual[day]
    limited: Array = np.minimum(factor * np.exp(warmth * off[:, None] / 10), MOST_RESPONSE)
    return limited
