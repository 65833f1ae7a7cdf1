"""The command that writes what the server received, under unified customers."""

from pathlib import Path
from typing import Annotated

import typer

from training.command import WorkspaceOption, command, workspace_of


@command("no file was written")
def events(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .parquet or .csv; replaced if it is there.")],
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="ACCOUNT|CUSTOMER", show_default=False,
                     help="Only this customer's, named by any of its accounts."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:  # fmt: skip
    """Write the events that the server received, in the order in which they happened.

    Each stands under the unified customer as of the last day of the history, whether it was sent with the customer,
    with one of its accounts, or with a customer that was joined to it since.

    onebasket events --customer app:1234 --out events.csv
    """
    from features.live_events import SCHEMA, live_events
    from features.workspace import EVENTS_FILE
    from training.exports import check_target, write_parts

    check_target(out)
    place = workspace_of(workspace)
    snapshot = place.snapshot()
    rows = write_parts(live_events(place.live / EVENTS_FILE, snapshot, customer), SCHEMA, out)
    print(f"{rows:,} events, customers as of {snapshot.last_day} from {snapshot.version}: {out}")
