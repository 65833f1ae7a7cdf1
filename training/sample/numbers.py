"""How the systems write order and line numbers, products and units."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.sample.arrow_text import digits, exact, join, named, text
from training.sample.people import POS, SHOP
from training.sample.records import BACK_ORDER, CASE, DOZEN, JIN, REFUND, RETURN, Exported
from training.sample.world import World

Array = npt.NDArray[Any]
OWN = ("R", "A", "MP", "70", "GB", "LV")  # what an order's number begins with
BACK = ("TH", "AR", "MR", "RF", "GR", "EX")
BACK_LINE = "RF"  # before the number of a platform's line that gives back within the order
WIDTH = 13


def _number(system: int, number: Array) -> Any:
    return digits(number, WIDTH + 4 if system == POS else WIDTH)


def order_text(system: int, rows: Exported) -> Any:
    """The order number; what comes back in an order of its own is numbered after the line that it gives back."""
    written = _number(system, rows.number)
    own = join(OWN[system], written)
    if not len(rows) or not (rows.form == BACK_ORDER).any():
        return own
    back = join(BACK[system], written, digits(np.maximum(rows.of_line, 0), 3))
    return pc.if_else(rows.form == BACK_ORDER, back, own)


def line_text(system: int, rows: Exported, order: Any) -> Any:
    """The line's number, unique within the system."""
    line = join(order, "-", text(_whole(rows.line)))
    if system != SHOP:
        return line
    return pc.if_else(rows.of_number >= 0, join(BACK_LINE, line), line)


def sale_order_text(system: int, rows: Exported) -> Any:
    """The number of the order that a line gives back from, null for other lines."""
    return _or_null(gives_back(rows), lambda: join(OWN[system], _number(system, np.maximum(rows.of_number, 0))))


def sale_line_text(system: int, rows: Exported) -> Any:
    """The number of the line that a line gives back, null for other lines."""
    order = join(OWN[system], _number(system, np.maximum(rows.of_number, 0)))
    return _or_null(gives_back(rows), lambda: join(order, "-", text(_whole(np.maximum(rows.of_line, 0)))))


def gives_back(rows: Exported) -> Array:
    """Whether a line refers to the one that it gives back."""
    refers: Array = np.isin(rows.kind, (RETURN, REFUND)) & ~rows.silent
    return refers


def _or_null(mask: Array, make: Callable[[], Any]) -> Any:
    if not mask.any():
        return pa.nulls(len(mask), pa.string())
    return pc.if_else(pa.array(mask), make(), pa.scalar(None, pa.string()))


def _whole(values: Array) -> Any:
    return pa.array(values.astype(np.int32))


def platform_order_text(number: Array) -> Any:
    """The platform's order number, null where there is none."""
    return _or_null(number >= 0, lambda: join(OWN[SHOP], _number(SHOP, np.maximum(number, 0))))


def account_text(world: World, account: Array) -> Any:
    """The account, null for an anonymous basket."""
    return world.people.account_text.take(pa.array(account, mask=account < 0))


def product_text(world: World, product: Array) -> Any:
    return named(product, world.goods.codes)


def exported_milli(world: World, rows: Exported) -> Array:
    """Thousandths of the unit that the line is written in; a 斤 is half a kilogram."""
    size = np.select([rows.unit == CASE, rows.unit == DOZEN], [world.goods.pack[rows.product], 12], 1)
    return np.where(rows.unit == JIN, rows.milli * 2, rows.milli // size)


def quantity(world: World, rows: Exported) -> Any:
    """The units written with three decimals."""
    return exact(exported_milli(world, rows), 3)
