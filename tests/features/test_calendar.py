"""What is known of every day in advance."""

from datetime import date
from typing import Any

import pytest

from features.calendar import public_calendar
from features.errors import RecipeError
from features.sources import Retailer


def day(retailer: Retailer, when: date) -> dict[str, Any]:
    (row,) = public_calendar(retailer, when, when).to_pylist()
    found: dict[str, Any] = row
    return found


def test_a_public_holiday_has_its_name_and_is_no_working_day() -> None:
    christmas = day(Retailer(name="x", country="US"), date(2017, 12, 25))
    assert (christmas["holiday"], christmas["working_day"]) == ("Christmas Day", False)


def test_a_subdivision_has_its_own_holidays() -> None:
    scottish, english = (Retailer(name="x", country="GB", subdivision=part) for part in ("SCT", "ENG"))
    assert day(scottish, date(2024, 1, 2))["holiday"] is not None
    assert day(english, date(2024, 1, 2))["holiday"] is None


def test_a_chinese_make_up_sunday_is_worked() -> None:
    assert day(Retailer(name="x", country="CN"), date(2024, 2, 4))["working_day"]
    assert not day(Retailer(name="x", country="CN"), date(2024, 2, 25))["working_day"]


def test_without_a_country_weekends_are_all_that_is_known() -> None:
    assert not day(Retailer(name="x"), date(2024, 12, 28))["working_day"]
    assert day(Retailer(name="x"), date(2024, 12, 25)) == {
        "region": "all", "day": date(2024, 12, 25), "is_open": True, "holiday": None, "working_day": True,
    }  # fmt: skip


def test_an_unknown_subdivision_lists_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"GB has no 'SCOTLAND'.*SCT"):
        public_calendar(Retailer(name="x", country="GB", subdivision="SCOTLAND"), date(2024, 1, 1), date(2024, 1, 2))


def test_the_calendar_goes_on_after_the_history_and_the_retailers_own_days_come_first(shop: Any) -> None:
    shop.write("days.csv", "day,open\n2024-03-02,false\n")
    mapped = 'day = "day", is_open = "open", holiday = "\'stocktaking\'", working_day = "true"'
    shop.extra = f'[sources.days]\ntable = "calendar"\npath = "days.csv"\ncolumns = {{ {mapped} }}'
    rows = {row["day"]: row for row in shop.ingest().read("calendar").to_pylist()}
    assert (min(rows), len(rows)) == (date(2024, 3, 1), 3 + 400)
    assert (rows[date(2024, 3, 2)]["is_open"], rows[date(2024, 3, 2)]["holiday"]) == (False, "stocktaking")
    assert rows[date(2024, 3, 3)]["is_open"]
