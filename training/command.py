"""How every command of the command line ends: its answer, or one clear message and an exit status."""

import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, ParamSpec, TypeVar

import typer

from features.errors import OneBasketError

if TYPE_CHECKING:
    from features.workspace import Workspace

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
INTERRUPTED = 130  # 128 + SIGINT, as shells count it
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
DAMAGED_WORDS = ("No magic bytes found", "magic bytes not found", "too small to be a Parquet file")  # DuckDB, Arrow
FULL_WORDS = ("No space left on device", "database or disk is full", "File too large")

KindArgument = Annotated[Literal["recommend", "forecast"], typer.Argument(help="The kind of model.")]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", metavar="FOLDER", help="The folder that holds everything "
                 "[default: $ONEBASKET_WORKSPACE or ./workspace].", show_default=False),
]  # fmt: skip
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME|FILE", show_default=False,
                 help="A shipped recipe's name or a .toml [default: the one that was ingested]."),
]  # fmt: skip
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrule one setting of the recipe; repeatable.",
                 show_default=False),
]  # fmt: skip
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DAY", show_default=False,
                 help="Read nothing after the end of this day, such as 2017-12-10 [default: the last day]."),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def command(stopped: str) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Answer]]:
    """Make a function a command: errors become one message and an exit status; Ctrl-C says what `stopped` says."""

    def decorate(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        @functools.wraps(function)
        def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            with clear_ending(stopped):
                return function(*args, **kwargs)

        return run

    return decorate


@contextmanager
def clear_ending(stopped: str) -> Iterator[None]:
    """Turn what may go wrong into a message on stderr and `typer.Exit`; ONEBASKET_DEBUG=1 shows the traceback."""
    with _ctrl_c() as pressed:
        try:
            yield
        except KeyboardInterrupt:
            _end(f"stopped; {stopped}", INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output (head, less) has gone: nothing more to say, and no complaint at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as fault:
            if pressed:
                _end(f"stopped; {stopped}", INTERRUPTED, fault)
            _end_with(fault)


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C: libraries such as DuckDB turn a KeyboardInterrupt into errors of their own."""
    pressed: list[int] = []

    def note(number: int, frame: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # A job in the background ignores Ctrl-C, and a thread cannot handle it: leave both as they are.
    if before != signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with(fault: Exception) -> NoReturn:
    if isinstance(fault, OneBasketError):
        _end(f"error: {fault}", fault.exit_status, fault)
    if is_disk_full(fault):
        _end(f"error: no more can be written to the disk ({fault}): free some space and run it again; "
             "what stood before still stands", 2, fault)  # fmt: skip
    if any(words in str(fault) for words in DAMAGED_WORDS):
        _end(f"error: a file of the workspace is damaged ({fault}): run onebasket ingest again", 2, fault)
    if isinstance(fault, OSError) and fault.errno in NOT_OURS:
        _end(f"error: {fault.filename}: {fault.strerror}: see that the folder is there, is one, and is yours to write",
             2, fault)  # fmt: skip
    raise fault


def _end(message: str, status: int, fault: BaseException | None = None) -> NoReturn:
    if fault is not None and os.environ.get("ONEBASKET_DEBUG", "") not in ("", "0"):
        raise fault
    print(message, file=sys.stderr, flush=True)
    raise typer.Exit(status)


def is_disk_full(fault: BaseException | None) -> bool:
    """Whether a fault, or what caused it, says that no more can be written."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in FULL:
            return True
        if any(words in str(fault) for words in FULL_WORDS):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def workspace_of(folder: Path | None) -> "Workspace":
    """The workspace that an option names, or the default one."""
    from features.workspace import Workspace

    return Workspace(folder) if folder is not None else Workspace.default()
