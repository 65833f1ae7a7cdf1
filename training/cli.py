"""The command line: `onebasket`. Heavy libraries are imported inside commands, so that it starts at once."""

import gc
import inspect
from collections.abc import Callable
from typing import Any

import typer

from training.commands_answer import demand, forecast, orders, recommend
from training.commands_data import ingest, recipes
from training.commands_events import events
from training.commands_identity import identity
from training.commands_learn import backtest, train
from training.commands_recipe import recipe
from training.commands_release import models, release, rollback
from training.commands_remind import reminders
from training.commands_report import report
from training.commands_sample import sample
from training.commands_serve import demo, serve
from training.commands_trace import trace

COMMANDS = (
    demo, ingest, recipes, train, backtest, release, rollback, models, serve, recommend, reminders, forecast, orders,
    identity, sample, recipe, demand, trace, report, events,
)  # fmt: skip

app = typer.Typer(
    name="onebasket",
    context_settings={"max_content_width": 110},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _help(function: Callable[..., Any]) -> str:
    """The docstring, its examples marked (\\b) as lines that must not be joined."""
    paragraphs = (part.strip() for part in inspect.cleandoc(function.__doc__ or "").split("\n\n"))
    return "\n\n".join(f"\b\n    {part}" if part.startswith("onebasket ") else part for part in paragraphs)


for made in COMMANDS:
    text = _help(made)
    app.command(help=text, short_help=text.partition("\n")[0].rstrip("."))(made)


@app.callback()
def root() -> None:
    """Recommendations and replenishment forecasts from one purchase history across every channel.

    First time: onebasket demo. Your own data: onebasket ingest, train, release, serve.
    """


def main() -> None:
    gc.set_threshold(50_000)  # libraries make many objects when they are imported, and hardly any garbage
    try:
        app()
    finally:
        gc.freeze()  # or the interpreter looks through every library's objects once more before it ends


if __name__ == "__main__":
    main()
