"""On which days each customer bought each thing, and what was known of the rhythm at the end of any day.

A thing is a product or a category. Everything known at a moment is computed from the customer's own earlier days
alone, row by row, so that a later row cannot change it in the last bit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.customers import Long
from features.history import UNKNOWN, Float, Int, Purchases, day_number

Numbers = npt.NDArray[np.float64]

GAPS = 8  # latest gaps of a sequence that its rhythm is read from
WINDOWS = (28, 91, 182)  # days back in which purchases are counted
REBOUGHT_DAYS = (3, 7, 14, 28, 56, 90)  # horizons of the share of purchases that were followed by another
PRIOR_PURCHASES = 20.0  # purchases of a thing that weigh as much as those of what it belongs to
MOMENT_COLUMNS = (
    "purchases", "elapsed", "gap_1", "gap_2", "gap_3", "gap_mean", "gap_median", "gap_least", "gap_most", "gap_spread",
    "known_days", "units_last", "units_relative", *(f"bought_{days}" for days in WINDOWS), "visits_since",
    "since_visit", *(f"visits_{days}" for days in WINDOWS[:2]), "customer_days", "visit_share", "weekday",
)  # fmt: skip
THING_COLUMNS = (*(f"rebought_{days}" for days in REBOUGHT_DAYS), "thing_log_gap", "thing_log_gap_square",
                 "thing_units", "thing_share", "thing_log_gap_spread")  # fmt: skip


@dataclass(frozen=True)
class Moments:
    """Ends of days at which one asks when the next purchase comes: `event` is the last purchase by then."""

    event: Long
    day: Int

    def __len__(self) -> int:
        return len(self.event)

    def part(self, rows: Any) -> "Moments":
        return Moments(self.event[rows], self.day[rows])


@dataclass(frozen=True)
class Cycles:
    """Purchase days of every known customer and thing, sorted by customer, thing, day: one event per such day.

    customer, thing  int32 [sequences]; the sequence's events are start[s] … start[s + 1] - 1
    day, units       [events] day number; units bought on that day
    visit_start      int64 [customers + 1] and visit_day int32 [visits]: the customer's days with any purchase
    """

    things: int
    as_of_day: int
    first_day: int
    customer: Int
    thing: Int
    start: Long
    day: Int
    units: Float
    visit_start: Long
    visit_day: Int

    @classmethod
    def of(cls, purchases: Purchases, thing: Int, things: int, rows: slice | Long | None = None) -> "Cycles":
        """`thing` int32 [products] says what each product is; products of thing -1 are left out.

        `rows`, in rising order, may narrow the work to whole customers.
        """
        begin = int(np.searchsorted(purchases.customer, 0))
        rows = slice(begin, len(purchases)) if rows is None else rows
        who, when, what = purchases.customer[rows], purchases.day[rows], thing[purchases.product[rows]]
        customers = len(purchases.customers)
        visit = _changes(who, when)
        units = purchases.units[rows][what >= 0]
        events_of, events_on, what = who[what >= 0], when[what >= 0], what[what >= 0]
        order = np.argsort(events_of.astype(np.int64) * max(things, 1) + what, kind="stable")
        events_of, events_on, what = events_of[order], events_on[order], what[order]
        head = np.flatnonzero(_changes(events_of, what, events_on))
        total = np.add.reduceat(units[order].astype(np.float64), head) if len(head) else np.empty(0)
        customer, what, day = events_of[head], what[head], events_on[head]
        first = np.flatnonzero(_changes(customer, what))
        return cls(
            things, day_number(purchases.as_of), int(purchases.day.min(initial=day_number(purchases.as_of))),
            customer[first], what[first], np.append(first, len(day)).astype(np.int64), day, total.astype(np.float32),
            np.searchsorted(who[visit], np.arange(customers + 1)).astype(np.int64), when[visit],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.thing)

    @cached_property
    def sequence(self) -> Int:
        """The sequence of each event."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.start))

    @cached_property
    def next_day(self) -> Int:
        """Day number of the next event of the sequence; -1 where there was none."""
        following = np.full(len(self.day), UNKNOWN, np.int32)
        following[:-1] = self.day[1:]
        following[self.start[1:] - 1] = UNKNOWN
        return following

    @property
    def now(self) -> Moments:
        """Every sequence as of the history's last day."""
        return Moments(self.start[1:] - 1, np.full(len(self), self.as_of_day, np.int32))

    def find(self, customer: Int, thing: Int) -> Long:
        """The sequence of each (customer, thing); the pair must have been bought."""
        return np.searchsorted(self._pair_key, customer.astype(np.int64) * self.things + thing)

    def bought_until(self, sequence: Long, day: Int) -> Long:
        """Number of events up to the end of `day` in all sequences up to and including `sequence`."""
        return np.searchsorted(self._key, sequence * self._span + _clipped(day, self), side="right")

    def visits_until(self, customer: Long, day: Int) -> Long:
        """Likewise of visits and customers."""
        return np.searchsorted(self._visit_key, customer * self._span + _clipped(day, self), side="right")

    @property
    def _span(self) -> int:
        return self.as_of_day - self.first_day + 2

    @cached_property
    def _pair_key(self) -> Long:
        return self.customer.astype(np.int64) * self.things + self.thing

    @cached_property
    def _key(self) -> Long:
        return self.sequence * np.int64(self._span) + (self.day - self.first_day + 1)

    @cached_property
    def _visit_key(self) -> Long:
        customer = np.repeat(np.arange(len(self.visit_start) - 1), np.diff(self.visit_start))
        return customer * np.int64(self._span) + (self.visit_day - self.first_day + 1)


def _clipped(day: Int, cycles: Cycles) -> Long:
    return np.clip(day - cycles.first_day + 1, 0, cycles.as_of_day - cycles.first_day + 1).astype(np.int64)


def _changes(*columns: Int) -> npt.NDArray[np.bool_]:
    changed = np.zeros(len(columns[0]), bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def moment_features(cycles: Cycles, moments: Moments) -> Float:
    """What is known of each sequence at its moment, float32 [moments, MOMENT_COLUMNS]; NaN where a fact is missing."""
    event, day = moments.event, moments.day
    sequence = cycles.sequence[event].astype(np.int64)
    customer = cycles.customer[sequence].astype(np.int64)
    first, count = cycles.start[sequence], event - cycles.start[sequence] + 1
    visits = cycles.visits_until(customer, day)
    visit_first = cycles.visit_start[customer]
    since_first = visits - cycles.visits_until(customer, cycles.day[first] - 1)
    columns = [
        count, day - cycles.day[event], *_gap_columns(cycles, event, count), day - cycles.day[first],
        *_unit_columns(cycles, event, count),
        *(event + 1 - np.maximum(cycles.bought_until(sequence, day - days), first) for days in WINDOWS),
        visits - cycles.visits_until(customer, cycles.day[event]), day - cycles.visit_day[visits - 1],
        *(visits - np.maximum(cycles.visits_until(customer, day - days), visit_first) for days in WINDOWS[:2]),
        day - cycles.visit_day[visit_first], count / since_first, (day + 3) % 7,
    ]  # fmt: skip
    matrix = np.empty((len(moments), len(MOMENT_COLUMNS)), np.float32)
    for number, column in enumerate(columns):
        matrix[:, number] = column
    return matrix


def _gap_columns(cycles: Cycles, event: Long, count: Long) -> list[Numbers | Float]:
    """The latest three gaps, and mean, median, least, greatest and spread (of logarithms) of the latest GAPS."""
    gaps = np.full((len(event), GAPS), np.nan, np.float32)
    for back in range(GAPS):
        known = np.flatnonzero(count > back + 1)
        at = event[known] - back
        gaps[known, back] = cycles.day[at] - cycles.day[at - 1]
    counted = np.minimum(count - 1, GAPS)
    sizes = np.maximum(counted, 1)
    none = counted < 1
    ordered = np.sort(gaps, axis=1)  # NaN comes last
    rows = np.arange(len(event))
    middle = (ordered[rows, (sizes - 1) // 2] + ordered[rows, sizes // 2]) / 2
    logs = np.log(gaps)
    mean = np.nansum(logs, axis=1) / sizes
    spread = np.sqrt(np.nansum(np.square(logs - mean[:, None]), axis=1) / sizes)
    return [
        gaps[:, 0], gaps[:, 1], gaps[:, 2], np.where(none, np.nan, np.exp(mean)), middle, ordered[:, 0],
        ordered[rows, sizes - 1], np.where(counted > 1, spread, np.nan),
    ]  # fmt: skip


def _unit_columns(cycles: Cycles, event: Long, count: Long) -> list[Numbers | Float]:
    """Units of the latest purchase, and those ÷ the mean of the up to GAPS purchases before it."""
    total = np.zeros(len(event))
    for back in range(1, GAPS + 1):
        known = np.flatnonzero(count > back)
        total[known] += cycles.units[event[known] - back]
    before = np.minimum(count - 1, GAPS)
    with np.errstate(invalid="ignore", divide="ignore"):
        return [cycles.units[event], np.where(before > 0, cycles.units[event] * before / total, np.nan)]


def thing_facts(cycles: Cycles, wider: Int, wide: Float | None, keep: npt.NDArray[np.bool_] | None = None) -> Float:
    """How things are bought by everybody, float32 [things, THING_COLUMNS].

    A share of purchases followed by another within some days counts only purchases that were so long ago, so that
    who has not come back yet is neither forgotten nor held against the thing. Things with few purchases are drawn
    to `wide`, the same facts of what they belong to, which `wider` int32 [things] names (-1: everything). `keep`
    bool [sequences] narrows whose purchases count.
    """
    rows = np.arange(len(cycles.day)) if keep is None else np.flatnonzero(keep[cycles.sequence])
    thing, day, following = cycles.thing[cycles.sequence[rows]], cycles.day[rows], cycles.next_day[rows]
    gap = np.where(following >= 0, following - day, np.inf)
    log = np.log(np.where(following >= 0, gap, 1.0))
    whole = np.ones(len(rows), bool)
    repeated = following >= 0
    samples = [(gap <= days, day <= cycles.as_of_day - days) for days in REBOUGHT_DAYS]
    columns = [_drawn(thing, value, counted, cycles.things, wider, wide, number)
               for number, (value, counted) in enumerate(
                   [*samples, (log, repeated), (np.square(log), repeated), (cycles.units[rows], whole)])]  # fmt: skip
    spread = np.sqrt(np.maximum(columns[-2] - np.square(columns[-3]), 0))
    share = np.bincount(thing, minlength=cycles.things) / max(len(thing), 1)
    return np.stack([*columns, share, spread], axis=1).astype(np.float32)


def _drawn(
    thing: Int, value: npt.NDArray[Any], counted: npt.NDArray[np.bool_], things: int, wider: Int, wide: Float | None,
    number: int,
) -> Numbers:  # fmt: skip
    total = np.bincount(thing[counted], value[counted], minlength=things)
    count = np.bincount(thing[counted], minlength=things)
    overall = total.sum() / count.sum() if count.sum() else np.nan
    prior = np.full(things, overall)
    if wide is not None and len(wide):
        prior = np.where(wider >= 0, wide[np.maximum(wider, 0), number], prior)
    with np.errstate(invalid="ignore"):
        drawn = (total + PRIOR_PURCHASES * prior) / (count + PRIOR_PURCHASES)
    return np.asarray(np.where(np.isnan(prior), np.nan, drawn), np.float64)
