"""One day of the sample: everything it brings, computed without any other day."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.sample.aftermath import aftermath
from training.sample.baskets import draw_baskets
from training.sample.contents import draw_contents
from training.sample.cycles import DueDates
from training.sample.delivery import deliver
from training.sample.layouts import Part, encode, encode_apart
from training.sample.orders import numbered, rung_up
from training.sample.people import POS, SHOP, SYSTEMS
from training.sample.plan import SECONDS
from training.sample.records import EXCHANGE, Exported
from training.sample.shelves import Ahead, Demand, sell
from training.sample.truth_rows import lines_table, returns_table, twins_table, versions_table
from training.sample.world import World

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class DayParts:
    """What a day leaves to whoever puts the files together.

    main   stream -> part of the day's own file
    later  (day, stream) -> parts of later files
    lines  how many order lines it exports, all versions counted
    """

    day: int
    main: dict[str, Part]
    later: dict[tuple[int, str], list[Part]]
    demand: Demand
    lines: int


def make_day(world: World, due: DueDates, day: int, truth: Path) -> DayParts:
    """Compute a day, write its truth into `truth`, and return the rest."""
    household, category = due.shopping(day)
    baskets, basket = draw_baskets(world, day, household, category)
    baskets, lines = draw_contents(world, day, baskets, basket, category)
    lines, demand = sell(world, day, baskets, lines)
    sold = numbered(world, day, baskets, lines)
    receipts = len(np.unique(sold[POS].number))
    twins, platform_number = rung_up(world, day, sold[SHOP], receipts)
    tables: dict[str, list[Any]] = {"lines": [], "returns": [], "versions": []}
    main: dict[str, Part] = {}
    later: dict[tuple[int, str], list[Part]] = defaultdict(list)
    count, ahead = 0, [demand.ahead]
    for system in range(len(SYSTEMS)):
        back = aftermath(world, day, system, sold[system])
        exported = sold[system].followed_by(twins) if system == POS else sold[system]
        delivered = deliver(world, day, system, exported)
        main |= encode(world, system, delivered.main)
        days = np.concatenate([delivered.later_on, _days(world, back)])
        _lay_later(world, system, delivered.later.followed_by(back), days, later)
        count += len(delivered.main) + len(delivered.later) + len(back)
        truly = sold[system].take(~sold[system].cancelled).followed_by(back)
        tables["lines"].append(lines_table(world, system, truly))
        tables["returns"].append(returns_table(world, system, back))
        tables["versions"].append(versions_table(world, day, system, delivered))
        ahead.append(_exchanged(world, back))
    tables["twins"] = [twins_table(world, twins, platform_number)]
    _write_truth(world, day, tables, truth)
    ahead_all = ahead[0].followed_by(*ahead[1:])
    return DayParts(day, main, dict(later), Demand(demand.wanted, demand.sold, ahead_all), count)


def _days(world: World, rows: Exported) -> Array:
    return (rows.at - world.plan.midnight(0)) // SECONDS


def _lay_later(
    world: World, system: int, rows: Exported, days: Array, later: dict[tuple[int, str], list[Part]]
) -> None:
    order = np.argsort(days, kind="stable")
    of_days, first = np.unique(days[order], return_index=True)
    parts = encode_apart(world, system, rows.take(order), [*first.tolist(), len(order)])
    for day, streams in zip(of_days.tolist(), parts, strict=True):
        for stream, part in streams.items():
            later[day, stream].append(part)


def _exchanged(world: World, back: Exported) -> Ahead:
    """What goes out in exchange is demand of its day."""
    out = back.take(back.kind == EXCHANGE)
    return Ahead(_days(world, out), out.location, out.product, out.milli)


def _write_truth(world: World, day: int, tables: dict[str, list[Any]], folder: Path) -> None:
    for name, parts in tables.items():
        table = pa.concat_tables(part.unify_dictionaries() for part in parts)
        path = folder / name / f"{name}-{world.plan.date(day):%Y%m%d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_plain(table), path, compression="snappy")


def _plain(table: Any) -> Any:
    """Dictionaries as texts: readers should not meet two types for one column."""
    schema = pa.schema([
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ])  # fmt: skip
    return table.cast(schema)
