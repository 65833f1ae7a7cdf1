"""The calendar: public holidays, working days, and what the retailer says of its own days."""

from datetime import date, timedelta
from typing import Any

import holidays
import pyarrow as pa

from features.errors import RecipeError, did_you_mean
from features.sources import Retailer

EVERYWHERE = "all"
SCHEMA = pa.schema([
    ("region", pa.string()), ("day", pa.date32()), ("is_open", pa.bool_()), ("holiday", pa.string()),
    ("working_day", pa.bool_()),
])  # fmt: skip


def public_calendar(retailer: Retailer, first_day: date, last_day: date) -> pa.Table:
    """The calendar of the retailer's country from `first_day` to `last_day`, for the region 'all'.

    A working day is a weekday without a public holiday, or a weekend day that the country works to make up
    for a bridge day (as in China). Without a country there are no holidays.
    """
    days = [first_day + timedelta(days=step) for step in range((last_day - first_day).days + 1)]
    known = _holidays(retailer, first_day, last_day)
    return pa.table({
        "region": pa.array([EVERYWHERE] * len(days), pa.string()),
        "day": pa.array(days, pa.date32()),
        "is_open": pa.array([True] * len(days)),
        "holiday": pa.array([known.get(day) for day in days], pa.string()),
        "working_day": pa.array([_works(known, day) for day in days]),
    }, schema=SCHEMA)  # fmt: skip


def _works(known: Any, day: date) -> bool:
    return bool(known.is_working_day(day)) if hasattr(known, "is_working_day") else day.weekday() < 5


def _holidays(retailer: Retailer, first_day: date, last_day: date) -> Any:
    if retailer.country is None:
        return {}
    supported = holidays.list_supported_countries()
    if retailer.country not in supported:
        hint = did_you_mean(retailer.country, supported)
        raise RecipeError(f"retailer.country: no holidays are known for {retailer.country!r}{hint}: leave it out")
    if retailer.subdivision and retailer.subdivision not in supported[retailer.country]:
        known = supported[retailer.country]
        hint = did_you_mean(retailer.subdivision, known)
        raise RecipeError(
            f"retailer.subdivision: {retailer.country} has no {retailer.subdivision!r}{hint}: one of {', '.join(known)}"
        )
    years = range(first_day.year, last_day.year + 1)
    return holidays.country_holidays(retailer.country, subdiv=retailer.subdivision, years=years)
