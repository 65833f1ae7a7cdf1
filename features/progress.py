"""How long work tells that it goes on, without knowing who watches."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """One step under way."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more of the step's total as done."""


class Progress(Protocol):
    """Shows steps to whoever started the work."""

    def step(self, name: str, total: int | None = None) -> AbstractContextManager[Step]:
        """Open a step; `total` is how many parts it has, None where that is not known."""


class _Quiet:
    def advance(self, amount: int = 1) -> None:
        """Show nothing."""

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator["_Quiet"]:
        yield self


silent: Progress = _Quiet()
