"""What comes back: returns, money given back alone, and exchanges, days to weeks after the sale."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.assortment import PRODUCTS_PER_CATEGORY
from training.sample.baskets import CLOSES, OPENS
from training.sample.orders import STAMPED_AFTER
from training.sample.people import APP, LIVE, POS, SHOP
from training.sample.plan import AFTER, SECONDS
from training.sample.records import BACK_ORDER, EACH, EXCHANGE, REFUND, RETURN, SAME_ORDER, Exported
from training.sample.world import World

Array = npt.NDArray[Any]
# share of the sold lines that come back, and within how many days
RETURNS = {POS: (0.012, 1, 20), APP: (0.010, 1, 10), SHOP: (0.015, 8, 30), LIVE: (0.04, 14, 60)}
MONEY_BACK = {SHOP: (0.012, 8, 20)}  # part of the price, the goods stay; after any late order has arrived
EXCHANGES = {LIVE: (0.012, 7, 30)}
UNREFERENCED = 0.2  # of the till's returns with a card name no receipt
PARTLY = 0.3  # of the returns of several pieces give one back


def aftermath(world: World, day: int, system: int, sold: Exported) -> Exported:
    """Everything that comes back of a day's sales, before the sample ends."""
    random = world.plan.random(AFTER, day, system)
    fate = random.random(len(sold))
    able = ~sold.cancelled & ~sold.gift & (sold.product < world.goods.plain) & (sold.fen > 0)
    parts = []
    for makes, shares in ((_returned, RETURNS), (_money_back, MONEY_BACK), (_exchanged, EXCHANGES)):
        if system not in shares:
            continue
        share, first, last = shares[system]
        rows = np.flatnonzero(able & (fate >= 0) & (fate < share))
        fate = np.where(fate < share, -1, fate - share)
        later = day + random.integers(first, last + 1, len(rows))
        at = world.plan.midnight(0) + later * SECONDS + random.integers(OPENS, CLOSES, len(rows))
        parts.append(makes(world, system, sold, rows, at, random))
    back = sold.take(slice(0, 0)).followed_by(*parts)
    return back.take(back.at < world.plan.midnight(world.plan.days))


def _given_back(sold: Exported, rows: Array, at: Array, form: int, **changes: Array) -> Exported:
    """Rows that refer to sold ones; they are lines of a new order, or further lines of the old."""
    same = form == SAME_ORDER
    plain: dict[str, Array] = {
        "at": at, "stamp": at + STAMPED_AFTER, "form": np.full(len(rows), form),
        "line": sold.line[rows] if same else np.ones(len(rows), np.int64),
        "of_number": sold.number[rows], "of_line": sold.line[rows], "discount": np.zeros(len(rows), np.int64),
    }  # fmt: skip
    return sold.take(rows, **{**plain, **changes})


def _returned(
    world: World, system: int, sold: Exported, rows: Array, at: Array, random: np.random.Generator
) -> Exported:
    """All of a line, or one of several pieces with its share of the money, rounded down to the fen."""
    pieces = sold.milli[rows] // 1000
    one = (sold.unit[rows] == EACH) & (pieces > 1) & (random.random(len(rows)) < PARTLY)
    milli = np.where(one, 1000, sold.milli[rows])
    fen = np.where(one, sold.fen[rows] // np.maximum(pieces, 1), sold.fen[rows])
    silent = (sold.account[rows] >= 0) & (random.random(len(rows)) < UNREFERENCED) & (system == POS)
    form = SAME_ORDER if system == SHOP else BACK_ORDER
    return _given_back(sold, rows, at, form, milli=-milli, fen=-fen, kind=np.full(len(rows), RETURN), silent=silent)


def _money_back(
    world: World, system: int, sold: Exported, rows: Array, at: Array, random: np.random.Generator
) -> Exported:
    fen = np.maximum(1, (sold.fen[rows] * random.integers(1, 6, len(rows))) // 10)
    return _given_back(sold, rows, at, SAME_ORDER, milli=np.zeros(len(rows), np.int64), fen=-fen,
                       kind=np.full(len(rows), REFUND))  # fmt: skip


def _exchanged(
    world: World, system: int, sold: Exported, rows: Array, at: Array, random: np.random.Generator
) -> Exported:
    """The line comes back, and another product of its category goes out for the same money."""
    back = _given_back(sold, rows, at, BACK_ORDER, milli=-sold.milli[rows], fen=-sold.fen[rows],
                       kind=np.full(len(rows), RETURN))  # fmt: skip
    category = sold.product[rows] // PRODUCTS_PER_CATEGORY
    other = (sold.product[rows] + random.integers(1, 15, len(rows))) % 15  # the 15 that are always listed
    other = category * PRODUCTS_PER_CATEGORY + other
    out = _given_back(sold, rows, at, BACK_ORDER, product=other, line=np.full(len(rows), 2),
                      kind=np.full(len(rows), EXCHANGE))  # fmt: skip
    same = other == sold.product[rows]
    out.product = np.where(same, category * PRODUCTS_PER_CATEGORY + (other + 1) % 15, other)
    return back.followed_by(out)
