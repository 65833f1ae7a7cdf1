"""Commands that bring data in: ingest and recipes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.command import SetOption, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from features.workspace import Snapshot


@command("nothing was changed: the workspace still holds what it held before")
def ingest(
    recipe: Annotated[str, typer.Option("--recipe", metavar="NAME|FILE", help="A shipped recipe or a .toml.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            show_default=False,
            help="Where the recipe's relative paths start [default: the recipe's own folder].",
        ),
    ] = None,
    changes: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Read a retailer's exports into the workspace: checked, unified, ready to learn from.

    Only what is new since the last ingest is read: files that came or changed. A file delivered again under its
    name replaces what it said before, and the same files give the same history in whatever order they come. Rows
    that cannot be used go to the quarantine with their reason.

        onebasket ingest --recipe complete-journey

        onebasket ingest --recipe my-shop.toml --data exports/
    """
    from features.ingest import ingest as take_in
    from training.progress import showing_progress
    from training.recipe import load_recipe

    place = workspace_of(workspace)
    read = load_recipe(recipe, data, changes or ())
    # A clock ahead of ours, or a zone ahead of UTC, may already write tomorrow; anything later is a mistake.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    with showing_progress() as progress:
        snapshot = take_in(read, place, progress, latest_day=tomorrow)
    print_snapshot(snapshot, place.quarantine / snapshot.version)


def print_snapshot(snapshot: "Snapshot", quarantine: Path) -> None:
    """Print what became of the rows of every source."""
    from training.printing import print_table

    facts = snapshot.facts
    counts = ("read", "kept", "quarantined", "duplicates")
    rows = [[name, source["table"], *(f"{source[count]:,}" for count in counts)]
            for name, source in facts["sources"].items()]  # fmt: skip
    title = f"{facts['retailer']['name']}: {snapshot.first_day} to {snapshot.last_day}"
    print_table(title, ["source", "table", *counts], rows)
    refused = sorted(
        ((rows, reason, name) for name, source in facts["sources"].items()
         for reason, rows in source["reasons"].items()), reverse=True,
    )  # fmt: skip
    for number, reason, name in refused:
        print(f"quarantined {number:,} rows of {name}: {reason}")
    if refused:
        print(f"see {quarantine}")


@command("nothing was changed")
def recipes(workspace: WorkspaceOption = None) -> None:  # accepted everywhere, needed elsewhere
    """List the recipes that come with OneBasket; copy one to start your own.

    onebasket recipes
    """
    from training.printing import print_table
    from training.recipe import find_recipe, shipped_recipes

    rows = []
    for name in shipped_recipes():
        path = find_recipe(name)
        first = path.read_text("utf-8").splitlines()[0].removeprefix("#").strip()
        rows.append([name.replace("_", "-"), first, str(path)])
    print_table("recipes", ["name", "what", "file"], rows)
