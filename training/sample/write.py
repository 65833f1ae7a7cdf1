"""Writes the whole sample: days are computed apart, on several processes, and put together in their order."""

import multiprocessing
import signal
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.errors import SampleError
from features.progress import Progress, silent
from training.sample.baskets import PICKUP_DAYS
from training.sample.cycles import DueDates
from training.sample.files import writers
from training.sample.layouts import STREAMS
from training.sample.masterdata import write_masterdata
from training.sample.one_day import DayParts, make_day
from training.sample.plan import LINES_PER_PERSON_AND_DAY, Plan
from training.sample.recipe import recipe_text
from training.sample.shelves import Ahead, available_share
from training.sample.stock import write_stock
from training.sample.truth_tables import write_demand, write_truth_tables
from training.sample.world import Setting, World, draw_setting, draw_world

Array = npt.NDArray[Any]
WORTH_A_PROCESS = 200_000  # lines; fewer are written before another process has started
WORKERS = 2  # each holds the customers: about 0.9 GiB for 650,000
AHEAD_OF_WRITING = 3  # days that may wait to be written


@dataclass(frozen=True)
class Written:
    """How much was written: order lines in the exports, all of their versions, and in how many seconds."""

    lines: int
    seconds: float


def empty_folder(folder: Path) -> None:
    """SampleError unless the folder is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SampleError(f"{folder} is not an empty folder: name a new one with --out, or delete it")


def write_sample(plan: Plan, folder: Path, progress: Progress = silent, workers: int = WORKERS) -> Written:
    """Write exports, recipe and truth into `folder`. Equal plans give equal bytes, whatever `workers` is."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with progress.step("people, products and shops"):
        _write_what_stands(plan, folder)
    lines, setting = 0, draw_setting(plan)
    pending: dict[tuple[int, str], list[Any]] = defaultdict(list)
    due: dict[int, Array] = {}
    with progress.step("days", plan.days) as step, writers(plan, folder) as streams:
        for parts in _days(plan, folder, workers):
            lines += parts.lines
            for key, more in parts.later.items():
                pending[key] += more
            for name in STREAMS:
                streams[name].write(parts.day, [parts.main[name], *pending.pop((parts.day, name), [])])
            _keep_ahead(setting, parts.demand.ahead, due)
            share = available_share(setting, parts.day)
            write_demand(
                setting, parts.day, parts.demand, due.pop(parts.day, _nothing(setting)), share, folder / "truth"
            )
            step.advance()
    for day in range(plan.days, plan.days + PICKUP_DAYS):  # group-buy that is fetched after the last day
        units = due.pop(day, _nothing(setting))
        write_demand(setting, day, None, units, np.ones(units.shape), folder / "truth")
    return Written(lines, max(time.monotonic() - began, 0.001))


def _write_what_stands(plan: Plan, folder: Path) -> None:
    """Write what is not written day by day; the customers are let go afterwards, for each worker draws its own."""
    world = draw_world(plan)
    write_masterdata(world, folder)
    write_truth_tables(world, folder / "truth")
    (folder / "recipe.toml").write_text(recipe_text(plan), "utf-8")


def _nothing(setting: Setting) -> Array:
    return np.zeros((len(setting.places.codes), setting.goods.plain), np.int64)


def _keep_ahead(setting: Setting, ahead: Ahead, due: dict[int, Array]) -> None:
    for day in np.unique(ahead.day).tolist():
        rows = ahead.day == day
        units = due.setdefault(day, _nothing(setting))
        np.add.at(units, (ahead.location[rows], ahead.product[rows]), ahead.milli[rows])


def _days(plan: Plan, folder: Path, workers: int) -> Iterator[DayParts]:
    """The parts of every day in order."""
    if workers == 1 or plan.customers * plan.days * LINES_PER_PERSON_AND_DAY < WORTH_A_PROCESS:
        world = _world_of_days(plan)
        due = DueDates(plan, world.habits, world.days)
        for day in range(plan.days):
            yield _make(world, due, day, folder)
        return
    context = multiprocessing.get_context("spawn")  # Arrow's threads do not survive a fork
    with ProcessPoolExecutor(workers, context, _begin, (plan, folder)) as pool:
        waiting: deque[Future[DayParts]] = deque()
        try:
            for day in range(plan.days):
                waiting.append(pool.submit(_work, day))
                if len(waiting) > workers + AHEAD_OF_WRITING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _world_of_days(plan: Plan) -> World:
    """The world without the texts of identity links, which only the master data need."""
    world = draw_world(plan)
    return replace(world, evidence=world.evidence.without_links())


def _make(world: World, due: DueDates, day: int, folder: Path) -> DayParts:
    write_stock(world, day, folder)
    return make_day(world, due, day, folder / "truth")


_worker: dict[str, Any] = {}


def _begin(plan: Plan, folder: Path) -> None:
    """Draw the world once in a worker; Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_cpu_count(1)
    world = _world_of_days(plan)
    _worker.update(world=world, due=DueDates(plan, world.habits, world.days), folder=folder)


def _work(day: int) -> DayParts:
    return _make(_worker["world"], _worker["due"], day, _worker["folder"])
