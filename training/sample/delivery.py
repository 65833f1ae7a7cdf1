"""Which file a line arrives in: on its day, days late, corrected later, cancelled later, or once more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.people import GROUP
from training.sample.plan import DELIVERY
from training.sample.records import CASE, DOZEN, JIN, KG, Exported
from training.sample.world import World

Array = npt.NDArray[Any]
LATE, LATE_DAYS = 0.01, 7  # of the orders
CORRECTED, CORRECTED_DAYS = 0.005, 5  # of the lines come with a wrong quantity first
CANCELLED_LATER, CANCEL_DAYS = 0.5, 3  # of the cancelled orders arrive as good ones first
REPEATING, REPEATED = 0.10, 0.25  # of the days' files are followed by one that repeats so many of their orders
CHANGES_AT = 4 * 3600  # at night, on the day of the file that brings the change
WHY = ("late", "corrected", "cancelled later", "repeated")


@dataclass(frozen=True)
class Delivered:
    """A system's rows by the day of their file.

    main         rows of the day's own file, as that file has them
    later        rows of later files, with the day of each in `later_on`
    why          index into WHY for each of `later`
    first        the row of `main` that a later one replaces, -1 where it is the first delivery
    """

    main: Exported
    later: Exported
    later_on: Array
    why: Array
    first: Array


def deliver(world: World, day: int, system: int, rows: Exported) -> Delivered:
    """Spread a day's rows over the files; every line's last version is the true one."""
    random = world.plan.random(DELIVERY, day, system)
    last = world.plan.days - 1
    order = np.cumsum(rows.line == 1) - 1
    orders = int(order[-1]) + 1 if len(order) else 0
    stamped = system != GROUP or world.plan.files == "day"  # without a stamp only a later file can correct
    changeable = stamped and day < last
    late = ((random.random(orders) < LATE) & (day < last))[order]
    late_on = np.minimum(day + random.integers(1, LATE_DAYS + 1, orders), last)[order]
    cancelled = rows.cancelled & (random.random(orders) < CANCELLED_LATER)[order] & ~late & changeable
    cancelled_on = np.minimum(day + random.integers(1, CANCEL_DAYS + 1, orders), last)[order]
    plain = ~late & ~rows.cancelled & ~rows.gift & (rows.fen > 0) & (rows.product < world.goods.plain)
    corrected = plain & (random.random(len(rows)) < CORRECTED) & changeable
    corrected_on = np.minimum(day + random.integers(1, CORRECTED_DAYS + 1, len(rows)), last)
    repeating = random.random() < REPEATING and day < last
    repeated = ~late & ~cancelled & ~corrected & (random.random(orders) < REPEATED)[order] & repeating
    fates = ((late, late_on), (corrected, corrected_on), (cancelled, cancelled_on), (repeated, late_on * 0 + day + 1))
    return _spread(world, rows, fates)


def _spread(world: World, rows: Exported, fates: tuple[tuple[Array, Array], ...]) -> Delivered:
    late, corrected, cancelled = (mask for mask, _ in fates[:3])
    place = np.cumsum(~late) - 1
    chosen = [np.flatnonzero(mask) for mask, _ in fates]
    why = np.repeat(np.arange(len(WHY)), [len(part) for part in chosen])
    row = np.concatenate(chosen)
    later_on = np.concatenate([days[part] for part, (_, days) in zip(chosen, fates, strict=True)])
    changed = (why == 1) | (why == 2)
    stamp = np.where(changed, world.plan.midnight(0) + later_on * 86_400 + CHANGES_AT, rows.stamp[row])
    later = rows.take(row, stamp=stamp)
    wrong, fen = _wrong(world, rows, corrected)
    main = rows.take(slice(None), milli=wrong, fen=fen, cancelled=rows.cancelled & ~cancelled).take(~late)
    by_day = np.argsort(later_on, kind="stable")
    first = np.where(why == 0, -1, place[row])
    return Delivered(main, later.take(by_day), later_on[by_day], why[by_day], first[by_day])


def _wrong(world: World, rows: Exported, corrected: Array) -> tuple[Array, Array]:
    """One piece, case, dozen or 100 g too many, and the money for it."""
    size = np.select([rows.unit == CASE, rows.unit == DOZEN], [world.goods.pack[rows.product], 12], 1)
    more = np.where((rows.unit == KG) | (rows.unit == JIN), 100, 1000 * size)
    milli = np.where(corrected, rows.milli + more, rows.milli)
    return milli, np.where(corrected, rows.fen * milli // np.maximum(rows.milli, 1), rows.fen)
