"""The command that writes a sample retailer with known truth: sample."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.command import WorkspaceOption, command

Kind = Annotated[Literal["omnichannel"], typer.Argument(help="The kind of retailer.")]


@command("the folder is incomplete: delete it")
def sample(  # noqa: PLR0913, PLR0917  # each is an option of the command
    kind: Kind,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A new or empty folder.")],
    customers: Annotated[int, typer.Option("--customers", min=200, max=5_000_000, help="How many people.")] = 2000,
    days: Annotated[int, typer.Option("--days", min=7, max=3650, help="How many days.")] = 120,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Equal seeds give equal bytes.")] = 1,
    lines: Annotated[
        int | None,
        typer.Option("--lines", min=1000, show_default=False, help="About how many lines, instead of --customers."),
    ] = None,
    starts_on: Annotated[str, typer.Option("--starts-on", metavar="DAY", help="The first day.")] = "2024-01-01",
    files: Annotated[Literal["day", "month", "whole"], typer.Option("--files", help="What one file holds.")] = "day",
    workspace: WorkspaceOption = None,  # accepted everywhere, needed elsewhere
) -> None:  # fmt: skip
    """Write what six systems of a retailer that never was export, a recipe, and the truth beside them.

    Till, app, mini-program, platform, group-buy and live stream, each in its own shape; docs/sample.md lists the traps.

        onebasket sample omnichannel --customers 2000 --days 120 --seed 1 --out sample

        onebasket sample omnichannel --lines 1000000 --days 365 --out sample
    """
    from training.progress import showing_progress
    from training.sample.plan import Plan, customers_for, first_day
    from training.sample.write import empty_folder, write_sample

    people = customers if lines is None else customers_for(lines, days)
    plan = Plan(people, days, seed, first_day(starts_on, days), files)
    empty_folder(out)
    with showing_progress() as progress:
        written = write_sample(plan, out, progress)
    print(f"{written.lines:,} order lines of {people:,} customers over {days:,} days, {written.seconds:.0f} s "
          f"({written.lines / written.seconds:,.0f} lines a second)")  # fmt: skip
    print(f"recipe: {out / 'recipe.toml'}; truth: {out / 'truth'}")
