"""The form in which forecasters read demand: a dense panel of series by days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from pydantic import Field

from features.history import Float, Int
from features.sources import Settings

Bools = npt.NDArray[np.bool_]
Short = npt.NDArray[np.int16]


class PanelSettings(Settings):
    """Which series and days a panel holds."""

    history_days: int = Field(default=730, ge=1, description="days of demand, at most")
    min_sale_days: int = Field(default=4, ge=1, description="a series with fewer days with a sale is left out")
    active_days: int = Field(default=91, ge=1, description="a series without a sale for so long is left out")
    ahead_days: int = Field(default=28, ge=0, description="days after as_of with calendar and plans")


@dataclass(frozen=True)
class DayFacts:
    """What is known in advance of each day from `first_day` on, past `as_of` too; arrays have one entry a day."""

    first_day: date
    is_open: npt.NDArray[np.bool_]
    holiday: Int  # code of the holiday's name, -1 on ordinary days
    holidays: tuple[str, ...]
    working_day: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Panel:
    """Demand of many series (product × location) up to the end of `as_of`.

    Series are sorted by location, then product. Column 0 of every matrix is `first_day`, and column
    `days - 1` is `as_of`; `facts` and `planned` go on for `ahead_days` more. Nothing here was learnt
    after `as_of`: a plan that became known later is absent.

    units      float32 [series, days]: units sold, 0 where nothing sold, NaN before the series' first sale (or listing)
    available  float32 [series, days] or None: share of open hours with stock, NaN where unknown
    category   int32 [series, levels]: category codes, broadest first, -1 where unknown
    planned    name ('display', 'promotion') → int16 [series, days + ahead_days]: how many days before the day
               its plan was known (0 or more), -1 where none is in force. A forecast made h days before a day
               may use the plan only where planned >= h.
    price      float32 [series, days] or None: mean price paid per unit, carried forward over days without a sale;
               where `prices` are given, the shelf price before the first sale and from the day it changes
    ranged     bool [series, days] or None: the product was on offer there, by the listings started by then. Units
               of other days are no demand. None where no listings are given: then a series is ranged from its
               first sale on, and nobody knows until when
    calendar   int32 [series] or None: position in `own_facts` of the calendar of the series' location, -1 where
               `facts` holds
    """

    as_of: date
    first_day: date
    product_ids: list[str]
    location_ids: list[str]
    units: Float
    available: Float | None
    price: Float | None
    category: Int
    facts: DayFacts
    planned: Mapping[str, Short]
    ahead_days: int
    ranged: Bools | None = None
    calendar: Int | None = None
    own_facts: tuple[DayFacts, ...] = ()

    def __len__(self) -> int:
        return len(self.product_ids)

    @property
    def days(self) -> int:
        return int(self.units.shape[1])

    @property
    def offered(self) -> Bools:
        """Whether each day could have sold anything, as far as calendar and listings say; bool [series, days]."""
        is_open = self.is_open(self.first_day, self.days)
        return is_open if self.ranged is None else np.asarray(is_open & self.ranged)

    def is_open(self, first: date, count: int) -> Bools:
        """Whether each series' location is open on `count` days from `first` on; bool [series, count], read-only.

        Days that the calendar does not reach count as open.
        """
        return open_matrix(self.facts, self.calendar, self.own_facts, first, (len(self), count))

    def own_calendars(self) -> Iterator[tuple[Bools, DayFacts]]:
        """Which series have another calendar than `facts`, bool [series], and it."""
        if self.calendar is not None:
            for number, facts in enumerate(self.own_facts):
                yield self.calendar == number, facts

    def until(self, as_of: date) -> "Panel":
        """The same panel as of an earlier day; series not yet sold by then are gone, plans not yet known too."""
        gone = (self.as_of - as_of).days
        if gone < 0:
            raise ValueError(f"the panel ends on {self.as_of}: it cannot tell what was known on {as_of}")
        days = self.days - gone
        keep = ~np.isnan(self.units[:, days - 1]) if days > 0 else np.zeros(len(self), bool)
        ahead = self.ahead_days
        lead = np.arange(days + ahead) - (days - 1)  # days from as_of to the column
        planned = {
            name: np.where(matrix[keep, : days + ahead] >= lead, matrix[keep, : days + ahead], -1).astype(np.int16)
            for name, matrix in self.planned.items()
        }
        return Panel(
            as_of=as_of,
            first_day=self.first_day,
            product_ids=[name for name, kept in zip(self.product_ids, keep, strict=True) if kept],
            location_ids=[name for name, kept in zip(self.location_ids, keep, strict=True) if kept],
            units=self.units[keep, :days],
            available=None if self.available is None else self.available[keep, :days],
            price=None if self.price is None else self.price[keep, :days],
            category=self.category[keep],
            facts=self.facts,
            planned=planned,
            ahead_days=ahead,
            ranged=None if self.ranged is None else self.ranged[keep, :days],
            calendar=None if self.calendar is None else self.calendar[keep],
            own_facts=self.own_facts,
        )

    def only(self, rows: npt.NDArray[np.intp]) -> "Panel":
        """The same panel with some of its series, given by position in ascending order."""
        chosen = rows.tolist()
        return replace(
            self,
            product_ids=[self.product_ids[row] for row in chosen],
            location_ids=[self.location_ids[row] for row in chosen],
            units=self.units[rows],
            available=None if self.available is None else self.available[rows],
            price=None if self.price is None else self.price[rows],
            category=self.category[rows],
            planned={name: matrix[rows] for name, matrix in self.planned.items()},
            ranged=None if self.ranged is None else self.ranged[rows],
            calendar=None if self.calendar is None else self.calendar[rows],
        )

    def target_dates(self, horizon_days: int) -> list[date]:
        return [self.as_of + timedelta(days=step) for step in range(1, horizon_days + 1)]


def open_matrix(
    facts: DayFacts, calendar: Int | None, own_facts: tuple[DayFacts, ...], first: date, shape: tuple[int, int]
) -> Bools:
    """Whether each of shape[0] series is open on shape[1] days from `first` on; bool, read-only. See Panel.is_open."""
    answer = np.broadcast_to(_open_days(facts, first, shape[1]), shape)
    if calendar is not None:
        answer = answer.copy()
        for number, own in enumerate(own_facts):
            answer[calendar == number] = _open_days(own, first, shape[1])
    return answer


def _open_days(facts: DayFacts, first: date, count: int) -> Bools:
    start = (first - facts.first_day).days
    known = facts.is_open[start : start + count]
    return np.concatenate([known, np.ones(count - len(known), bool)])
