"""The truth of a day: its lines, twins, returns and versions, each as an Arrow table."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.sample import numbers
from training.sample.arrow_text import DECIMAL, digits, exact, join, named, utc
from training.sample.delivery import WHY, Delivered
from training.sample.files import file_name
from training.sample.money import yuan_ten_thousandths
from training.sample.people import GROUP, POS, SYSTEMS
from training.sample.plan import SECONDS
from training.sample.records import EXCHANGE, ROW_KINDS, SALE, Exported
from training.sample.shelves import parts_of
from training.sample.world import World

Array = npt.NDArray[Any]


def _day(seconds: Array) -> Any:
    return pa.array((seconds // SECONDS).astype(np.int32), pa.date32())


def account_ids(world: World, system: int, account: Array) -> Any:
    """channel:account, null for an anonymous basket."""
    return join(f"{SYSTEMS[system]}:", numbers.account_text(world, account))


def lines_table(world: World, system: int, rows: Exported) -> Any:
    """The purchases and what came back of them, once each: no twins, nothing cancelled, bundles in their parts."""
    goods = world.goods
    row, product, milli, fen = parts_of(goods, rows.product, rows.milli, rows.fen)
    order = numbers.order_text(system, rows)
    line = numbers.line_text(system, rows, order).take(row)
    bundle = rows.product[row] >= goods.plain
    line = pc.if_else(pa.array(bundle), join(line, "+", numbers.product_text(world, product).cast(pa.string())), line)
    order, rows = order.take(row), rows.take(row)
    amount = yuan_ten_thousandths(world.plan, fen, rows.usd, rows.at)
    later = rows.picked_up_at >= 0
    stored = np.where(later, rows.picked_up_in, rows.location)
    return pa.table({
        "source": _fixed(SYSTEMS[system], len(rows)), "order_id": order, "line_id": line,
        "account_id": account_ids(world, system, rows.account), "person_id": persons(rows.person),
        "household_id": households(rows.household), "product_id": numbers.product_text(world, product),
        "location_id": named(rows.location, world.places.codes), "ordered_at": utc(rows.at),
        "day": _day(rows.at), "kind": named(rows.kind, ROW_KINDS), "units": exact(milli * 10, 4, DECIMAL),
        "unit": named(goods.weighed[product].astype(np.int32), ["each", "kg"]), "amount": exact(amount, 4, DECIMAL),
        "gift": pa.array(rows.gift), "demand_day": _day(np.where(later, rows.picked_up_at, rows.at)),
        "demand_location_id": named(stored, world.places.codes),
    })  # fmt: skip


def _fixed(value: str, rows: int) -> Any:
    return named(np.zeros(rows, np.int32), [value])


def persons(person: Array) -> Any:
    return join("p", digits(np.maximum(person, 0), 8))


def households(household: Array) -> Any:
    return join("h", digits(np.maximum(household, 0), 8))


def twins_table(world: World, twins: Exported, platform_number: Array) -> Any:
    """A row for each receipt that is a platform's order once more."""
    first = np.flatnonzero(twins.line == 1)
    twins, number = twins.take(first), platform_number[first]
    return pa.table({
        "source": _fixed("pos", len(twins)), "order_id": numbers.order_text(POS, twins),
        "kept_source": _fixed("ecommerce", len(twins)), "kept_order_id": numbers.platform_order_text(number),
        "numbered": pa.array(twins.external >= 0), "ordered_at": utc(twins.at),
    })  # fmt: skip


def returns_table(world: World, system: int, rows: Exported) -> Any:
    """Each line that gives back, and the sale it belongs to."""
    rows = rows.take((rows.kind != SALE) & (rows.kind != EXCHANGE))
    order = numbers.order_text(system, rows)
    told = rows.take(slice(None), silent=np.zeros(len(rows), bool))
    amount = yuan_ten_thousandths(world.plan, rows.fen, rows.usd, rows.at)
    return pa.table({
        "source": _fixed(SYSTEMS[system], len(rows)), "order_id": order,
        "line_id": numbers.line_text(system, rows, order), "sale_order_id": numbers.sale_order_text(system, told),
        "sale_line_id": numbers.sale_line_text(system, told), "kind": named(rows.kind, ROW_KINDS),
        "referenced": pa.array(~rows.silent),
        "units": exact(rows.milli * 10, 4, DECIMAL), "amount": exact(amount, 4, DECIMAL), "returned_at": utc(rows.at),
    })  # fmt: skip


def versions_table(world: World, day: int, system: int, delivered: Delivered) -> Any:
    """Every delivery of the lines that did not simply arrive once on their day."""
    again = delivered.first >= 0
    first = delivered.main.take(delivered.first[again])
    rows = first.followed_by(delivered.later)
    on = np.concatenate([np.full(len(first), day), delivered.later_on])
    why = np.concatenate([delivered.why[again], delivered.why])
    days, place = np.unique(on, return_inverse=True)
    files = [file_name(world.plan, SYSTEMS[system], int(day)) for day in days]
    order = numbers.order_text(system, rows)
    stamp = np.where(system == GROUP, -1, rows.stamp)
    return pa.table({
        "source": _fixed(SYSTEMS[system], len(rows)), "order_id": order,
        "line_id": numbers.line_text(system, rows, order),
        "delivered_on": _day(world.plan.midnight(0) + on * SECONDS),
        "file": named(place, files or [""]), "revised_at": utc(stamp),
        "units": exact(rows.milli * 10, 4, DECIMAL), "cancelled": pa.array(rows.cancelled),
        "superseded": pa.array(np.arange(len(rows)) < len(first)), "why": named(why, WHY),
    })  # fmt: skip
