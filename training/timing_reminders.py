"""Backtest of reminders: how many are followed by the purchase that they foretold, beside a simple rule."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from features.customers import Long
from features.cycles import Cycles, Moments
from features.history import Int, day_number
from models.cycle_rows import Sight
from models.outlook import HORIZON_DAYS, WINDOW_DAYS, daily, due, within
from models.repurchase import Repurchase
from training.timing_dates import Load, Numbers, gaps_so_far, household_intervals, seen_later

DAYS_AHEAD = 3
WEEK_DAYS = 7
ACTIVE_DAYS = 28  # a household that bought anything in so many days before the week is active
LEAST_GAPS = 3  # of a household and kind, for the rule
RARE_DAYS = 7  # a kind that a household buys no more often than this is no daily errand
COUNTED_DAYS = 91
ORDERS = (
    "purchases of 91 days",
    "all purchases",
    "own gaps near the median",
    "purchases of 91 days × near",
    "no order",
)

REPORTED = (ORDERS[3], ORDERS[0], ORDERS[4])  # best of all, best of one a household, and the rule as it is


@dataclass(frozen=True)
class Sent:
    """Reminders of a week that one side could send: how sure it is of each (higher is surer), and what came of it.

    `usual` is the median of the household's own gaps of the kind, days.
    """

    sure: Numbers
    hit: npt.NDArray[np.bool_]
    household: Int
    usual: Numbers

    def only(self, rows: npt.NDArray[Any]) -> "Sent":
        return Sent(self.sure[rows], self.hit[rows], self.household[rows], self.usual[rows])

    def surest(self, count: int) -> "Sent":
        return self.only(np.argsort(-self.sure, kind="stable")[:count])

    def one_per_household(self) -> "Sent":
        order = np.argsort(-self.sure, kind="stable")
        _, first = np.unique(self.household[order], return_index=True)
        return self.only(order[first])


def reminder_scores(
    load: Load, weeks: list[date], seed: int = 7, orders: tuple[str, ...] = REPORTED
) -> dict[str, Any]:  # fmt: skip
    """Share of reminders, sent 3 days ahead, whose kind was bought within ±3 days of the due date and after them.

    Each evening of a week, a reminder of (household, finest category) may be sent for a due date 3 days later. The
    due date was foretold when the kind was last bought, so that each purchase has one due date and at most one
    reminder, and none is sent once it was bought again. Hit: bought on one of the 6 days after the evening, which
    are what is left of ±3 days. The model's due date is the middle of its most probable ±3 days as of the last
    purchase; it is surer the likelier a purchase in those 6 days is as of the evening. The rule's is the last
    purchase plus the median of at least 3 gaps; it is surer by each of `orders` in turn, of which those reported
    were the best ones on development weeks, and none. Both send as many as households were active, the surest first:
    once whichever, once at most one a household, and once only what the household buys every 7 days or less often.
    """
    found: dict[str, list[tuple[str, Sent, int]]] = {}
    for week in weeks:
        history, later = load(week - timedelta(days=1)), load(week + timedelta(days=WEEK_DAYS - 1 + 2 * DAYS_AHEAD))
        seen = seen_later(history, later)
        active = _active(seen.cycles, day_number(week))
        sides = {"model": _of_model(Repurchase.fit(history, seed), seen, day_number(week)),
                 **{f"rule, {order}": _of_rule(seen.cycles, day_number(week), order) for order in orders}}  # fmt: skip
        for side, sent in sides.items():
            rare = sent.only(sent.usual >= RARE_DAYS)
            kinds = {"surest": sent, "one a household": sent.one_per_household(), "every 7 days or rarer": rare,
                     "every 7 days or rarer, one a household": rare.one_per_household()}  # fmt: skip
            for kind, could in kinds.items():
                found.setdefault(kind, []).append((side, could, active))
    return {kind: _equal_volume(entries, len(weeks), seed) for kind, entries in found.items()}


def _equal_volume(entries: list[tuple[str, Sent, int]], weeks: int, seed: int) -> dict[str, Any]:
    """Precision of each side with 95 % intervals, every week at the same volume for all sides."""
    sides = list(dict.fromkeys(side for side, _, _ in entries))
    by_week = [entries[number * len(sides) : (number + 1) * len(sides)] for number in range(weeks)]
    chosen: dict[str, list[Sent]] = {side: [] for side in sides}
    for week in by_week:
        volume = min(week[0][2], *(len(sent.sure) for _, sent, _ in week))
        for side, sent, _ in week:
            chosen[side].append(sent.surest(volume))
    figures: dict[str, Any] = {}
    for side, parts in chosen.items():
        hit = np.concatenate([part.hit for part in parts]).astype(np.float64)[:, None]
        household = np.concatenate([part.household for part in parts])
        low, high = household_intervals(hit, np.ones_like(hit), household, seed)
        figures[side] = {"reminders": len(hit), "households": len(np.unique(household)),
                         "precision": [float(hit.mean()), float(low[0]), float(high[0])]}  # fmt: skip
    return figures


def _active(cycles: Cycles, first: int) -> int:
    """Households with a purchase in the ACTIVE_DAYS before a day."""
    everyone = np.arange(len(cycles.visit_start) - 1)
    until, before = (cycles.visits_until(everyone, np.full(len(everyone), day, np.int32))
                     for day in (first - 1, first - 1 - ACTIVE_DAYS))  # fmt: skip
    return int((until > before).sum())


def _of_model(model: Repurchase, seen: Sight, first: int) -> Sent:
    cycles = seen.cycles
    event = _recent(cycles, first, least_gaps=1)
    then = model.hazards(seen.rows(Moments(event, cycles.day[event])))
    evening = cycles.day[event] + due(daily(then)).likeliest - DAYS_AHEAD
    event, evening = _standing(cycles, event, evening, first)
    chance = within(model.hazards(seen.rows(Moments(event, evening))), DAYS_AHEAD + WINDOW_DAYS)
    return _sent(cycles, event, evening, chance.astype(np.float64))


def _of_rule(cycles: Cycles, first: int, order: str) -> Sent:
    event = _recent(cycles, first, LEAST_GAPS)
    middle = np.rint(np.nanmedian(gaps_so_far(cycles, event), axis=1)).astype(np.int32)
    event, evening = _standing(cycles, event, cycles.day[event] + middle - DAYS_AHEAD, first)
    return _sent(cycles, event, evening, _sureness(cycles, event, evening, order, first))


def _sureness(cycles: Cycles, event: Long, evening: Int, order: str, first: int) -> Numbers:
    sequence = cycles.sequence[event].astype(np.int64)
    count = event + 1.0 - np.maximum(cycles.bought_until(sequence, evening - COUNTED_DAYS), cycles.start[sequence])
    if order == ORDERS[4]:
        return np.random.default_rng(first).random(len(event))
    if order == ORDERS[0]:
        return np.asarray(count, np.float64)
    gaps = gaps_so_far(cycles, event)
    known = (~np.isnan(gaps)).sum(axis=1)
    if order == ORDERS[1]:
        return np.asarray(known, np.float64)
    middle = np.rint(np.nanmedian(gaps, axis=1))
    near = ((np.abs(gaps - middle[:, None]) <= WINDOW_DAYS).sum(axis=1) + 0.5) / (known + 2)
    return np.asarray(near if order == ORDERS[2] else near * count, np.float64)


def _recent(cycles: Cycles, first: int, least_gaps: int) -> Long:
    """Purchases that may have a due date around the week, with enough gaps before them."""
    place = np.arange(len(cycles.day)) - cycles.start[cycles.sequence]
    day = cycles.day
    return np.flatnonzero((day > first - HORIZON_DAYS) & (day < first + WEEK_DAYS) & (place >= least_gaps))


def _standing(cycles: Cycles, event: Long, evening: Int, first: int) -> tuple[Long, Int]:
    """Those whose evening lies in the week, not before the purchase, and before the next one."""
    after = cycles.next_day[event]
    stands = (evening >= first) & (evening < first + WEEK_DAYS) & (evening >= cycles.day[event])
    stands &= (after < 0) | (after > evening)
    return event[stands], evening[stands].astype(np.int32)


def _sent(cycles: Cycles, event: Long, evening: Int, sure: Numbers) -> Sent:
    after = cycles.next_day[event]
    hit = (after > evening) & (after <= evening + DAYS_AHEAD + WINDOW_DAYS)
    usual = np.nanmedian(gaps_so_far(cycles, event), axis=1)
    return Sent(sure, hit, cycles.customer[cycles.sequence[event]], usual)
