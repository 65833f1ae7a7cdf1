"""Progress on the terminal: bars with the time left, or plain lines where nobody watches a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from features.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 15.0


class _Task:
    def __init__(self, bars: "Bars", task: "TaskID") -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: int = 1) -> None:
        self._bars.advance(self._task, amount)


class BarProgress:
    """A bar per step, with elapsed time and time left."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[_Task]:
        task = self._bars.add_task(name, total=total)
        try:
            yield _Task(self._bars, task)
        except BaseException:
            self._bars.stop_task(task)
            raise
        # A step of unknown length ends as a full bar, so that nothing is left pulsing.
        done = total or 1
        self._bars.update(task, total=done, completed=done)


class _Lines:
    """Counts a step, and writes a line now and then with the time left."""

    def __init__(self, name: str, total: int | None, out: TextIO) -> None:
        self._name, self._total, self._out = name, total, out
        self._done, self._began = 0, time.monotonic()
        self._written = self._began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if self._total and self._done < self._total and now - self._written >= SECONDS_BETWEEN_LINES:
            self._written = now
            left = self.seconds / self._done * (self._total - self._done)
            print(f"{self._name}: {self._done} of {self._total}, {left:.0f} s left", file=self._out, flush=True)


class LineProgress:
    """One line when a step ends, and one every SECONDS_BETWEEN_LINES of a long step."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[_Lines]:
        print(f"{name} …", file=self._out, flush=True)
        lines = _Lines(name, total, self._out)
        yield lines
        print(f"{name}: done in {lines.seconds:.1f} s", file=self._out, flush=True)


@contextmanager
def showing_progress() -> Iterator[Progress]:
    """Show steps on stderr for as long as the block lasts; stdout stays free for answers."""
    if not sys.stderr.isatty():
        yield LineProgress(sys.stderr)
        return
    from rich import progress as bar
    from rich.console import Console

    columns = (bar.SpinnerColumn(), bar.TextColumn("{task.description}"), bar.BarColumn(), bar.MofNCompleteColumn(),
               bar.TimeElapsedColumn(), bar.TextColumn("left"), bar.TimeRemainingColumn(compact=True))  # fmt: skip
    with bar.Progress(*columns, console=Console(stderr=True)) as bars:
        yield BarProgress(bars)
