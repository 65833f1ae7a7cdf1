"""Where and when the shelf was empty: what was wanted then is demand and no sale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.assortment import Assortment
from training.sample.baskets import CLOSES, OPENS
from training.sample.plan import SECONDS, SHELVES
from training.sample.records import Baskets, Lines, Records
from training.sample.world import Setting, World

Array = npt.NDArray[Any]
BLOCK = 4  # days
SOLD_OUT = 0.016  # of the series run out within a block, and stay so till its end


@dataclass
class Ahead(Records):
    """Units that leave a shelf on another day than today: day, location, product, thousandths of units."""

    day: Array
    location: Array
    product: Array
    milli: Array


@dataclass(frozen=True)
class Demand:
    """[location, product] thousandths of units wanted and sold on the day itself, and what is due later."""

    wanted: Array
    sold: Array
    ahead: Ahead


def available_share(world: Setting, day: int) -> Array:
    """[location, product] share of the open hours before the shelf was empty; 1 where it never was."""
    random = world.plan.random(SHELVES, day // BLOCK)
    shape = (len(world.places.codes), world.goods.plain)
    runs_out = random.random(shape) < SOLD_OUT
    first = random.integers(0, BLOCK, shape)
    share = np.round(random.random(shape), 3)
    now = day % BLOCK
    return np.where(runs_out & (first <= now), np.where(first == now, share, 0.0), 1.0)


def sell(world: World, day: int, baskets: Baskets, lines: Lines) -> tuple[Lines, Demand]:
    """The lines that could be served, and the day's demand. Pre-orders are reserved and always served.

    Stock goes to whoever comes first: nothing is sold from the moment at which it is gone.
    """
    share = available_share(world, day)
    location, at = baskets.location[lines.basket], baskets.at[lines.basket] - world.plan.midnight(day)
    reserved = baskets.picked_up_at[lines.basket] >= 0
    plain = np.minimum(lines.product, world.goods.plain - 1)
    gone = share[location, plain]
    served = reserved | (gone == 1) | (at < OPENS + gone * (CLOSES - OPENS))
    counted = ~baskets.cancelled[lines.basket]
    wanted = _summed(share.shape, location, lines, counted & ~reserved)
    sold = _summed(share.shape, location, lines, counted & ~reserved & served)
    return lines.take(served), Demand(wanted, sold, _ahead(world, baskets, lines.take(counted & reserved)))


def _summed(shape: tuple[int, ...], location: Array, lines: Lines, rows: Array) -> Array:
    cell = location[rows] * shape[1] + lines.product[rows]
    sums = np.bincount(cell, lines.milli[rows].astype(float), shape[0] * shape[1])
    return np.rint(sums).astype(np.int64).reshape(shape)


def _ahead(world: World, baskets: Baskets, lines: Lines) -> Ahead:
    """What was ordered for a later day, the bundles in their parts."""
    basket = lines.basket
    day = (baskets.picked_up_at[basket] - world.plan.midnight(0)) // SECONDS
    row, product, milli, _ = parts_of(world.goods, lines.product, lines.milli, lines.fen)
    return Ahead(day[row], baskets.picked_up_in[basket][row], product, milli)


def parts_of(goods: Assortment, product: Array, milli: Array, fen: Array) -> tuple[Array, Array, Array, Array]:
    """(row, product, milli, fen): every row as it is, bundles as a row for each of their parts."""
    bundle = product >= goods.plain
    count = np.where(bundle, goods.parts.shape[1], 1)
    row = np.repeat(np.arange(len(product)), count)
    part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    number = np.maximum(product[row] - goods.plain, 0)
    is_part = bundle[row]
    return (
        row,
        np.where(is_part, goods.parts[number, part], product[row]),
        np.where(is_part, milli[row] * goods.part_units[number, part], milli[row]),
        np.where(is_part, fen[row] * goods.part_tenths[number, part] // 10, fen[row]),
    )
