"""Numbered orders of the six systems, and the platform's orders that a till rings up once more."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.baskets import CLOSES, OPENS
from training.sample.people import POS, SYSTEMS
from training.sample.plan import ORDERS, Plan
from training.sample.records import JIN, KG, OWN_ORDER, SALE, Baskets, Exported, Lines
from training.sample.world import World

Array = npt.NDArray[Any]
RUNG_UP = 0.35  # of the platform's orders that leave from a store while it is open
NUMBERED = 0.1  # of those bear the platform's number though the customer would be known; of the others, all do
TWIN_SECONDS = (60, 1200)  # between the platform's order and the receipt
STAMPED_AFTER = 60  # seconds
MOST_ORDERS = 10_000_000  # of a system and day


def numbered(world: World, day: int, baskets: Baskets, lines: Lines) -> list[Exported]:
    """The lines of each system in the order of its numbers, which ascend with time."""
    filled = np.unique(lines.basket)
    rank = np.full(len(baskets), -1, np.int64)
    by_time = filled[np.lexsort((filled, baskets.at[filled], baskets.system[filled]))]
    rank[by_time] = np.arange(len(by_time))
    lines = lines.take(np.argsort(rank[lines.basket], kind="stable"))
    basket = lines.basket
    of_system = np.searchsorted(baskets.system[by_time], np.arange(len(SYSTEMS) + 1))
    bounds = np.searchsorted(baskets.system[basket], np.arange(len(SYSTEMS) + 1))
    return [
        _exported(world.plan, day, system, baskets, lines.take(slice(bounds[system], bounds[system + 1])),
                  rank - of_system[system])
        for system in range(len(SYSTEMS))
    ]  # fmt: skip


def _exported(plan: Plan, day: int, system: int, baskets: Baskets, lines: Lines, rank: Array) -> Exported:
    basket = lines.basket
    starts = np.flatnonzero(np.diff(basket, prepend=-1))
    line = np.arange(len(basket)) - np.repeat(starts, np.diff(starts, append=len(basket))) + 1
    none = np.full(len(basket), -1, np.int64)
    location, at = baskets.location[basket], baskets.at[basket]
    return Exported(
        number=order_numbers(plan, day, system, location, rank[basket]), form=none * 0 + OWN_ORDER, line=line,
        household=baskets.household[basket], person=baskets.person[basket], account=baskets.account[basket],
        product=lines.product, location=location, at=at, milli=lines.milli, unit=lines.unit, fen=lines.fen,
        discount=lines.discount, cancelled=baskets.cancelled[basket], gift=lines.gift, usd=baskets.usd[basket],
        delivery=baskets.delivery[basket], picked_up_at=baskets.picked_up_at[basket],
        picked_up_in=baskets.picked_up_in[basket], of_number=none, of_line=none, external=none,
        stamp=at + STAMPED_AFTER, kind=none * 0 + SALE, silent=none > 0,
    )  # fmt: skip


def order_numbers(plan: Plan, day: int, system: int, location: Array, rank: Array) -> Array:
    """Date and count; the till's receipts begin with the store."""
    date = int(f"{plan.date(day):%y%m%d}")
    number = date * MOST_ORDERS + rank + 1
    return (location + 1) * 1_000_000 * MOST_ORDERS + number if system == POS else number


def rung_up(world: World, day: int, platform: Exported, receipts: int) -> tuple[Exported, Array]:
    """The till's receipts of platform orders, numbered after its other `receipts`, and each line's platform order.

    Some bear the platform's number; the others show the card of the same customer, whose phone both systems know.
    """
    random = world.plan.random(ORDERS, day)
    starts = np.flatnonzero(platform.line == 1)
    second = platform.at[starts] - world.plan.midnight(day)
    able = (platform.location[starts] < world.places.stores) & ~platform.cancelled[starts] & ~platform.usd[starts]
    able &= (second > OPENS) & (second < CLOSES - TWIN_SECONDS[1]) & (random.random(len(starts)) < RUNG_UP)
    person = platform.person[starts]
    ready = world.evidence.twin_ready[person] <= day
    bears = (random.random(len(starts)) < NUMBERED) | ~ready
    shows = ~bears | (random.random(len(starts)) < 0.5)
    later = random.integers(*TWIN_SECONDS, len(starts))
    order = np.searchsorted(starts, np.arange(len(platform)), side="right") - 1
    rows = np.flatnonzero(able[order])
    order = order[rows]
    count = np.cumsum(able) - 1
    at = platform.at[rows] + later[order]
    location = platform.location[rows]
    weighed = platform.unit[rows] == KG
    card = world.people.own[POS][platform.person[rows]].astype(np.int64)
    twins = platform.take(
        rows, at=at, stamp=at + STAMPED_AFTER, delivery=np.zeros(len(rows), bool),
        number=order_numbers(world.plan, day, POS, location, receipts + count[order]),
        account=np.where(shows[order], card, -1), unit=np.where(weighed, JIN, platform.unit[rows]),
        external=np.where(bears[order], platform.number[rows], -1),
    )  # fmt: skip
    return twins, platform.number[rows]
