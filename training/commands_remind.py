"""The command that writes whom to remind of what: reminders."""

from typing import Annotated

import typer

from training.command import AsOfOption, RecipeOption, SetOption, WorkspaceOption, command, workspace_of
from training.commands_answer import STOPPED, OutOption, made_bundle, write_answer


@command(STOPPED)
def reminders(
    out: OutOption,
    as_of: AsOfOption = None,
    days_ahead: Annotated[int, typer.Option("--days-ahead", metavar="DAYS", help="Days before the due date.")] = 3,
    most: Annotated[int, typer.Option("--most", metavar="N", help="Reminders per customer, the likeliest ones.")] = 3,
    probability: Annotated[
        float,
        typer.Option("--probability", metavar="P", help="Least chance of a purchase within 3 days of the due date."),
    ] = 0.3,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write who is due for what in some days: one reminder per customer and category, before it runs out.

    A due date is foretold when something is bought. Run it every day: each due date is told once, --days-ahead days
    before, unless it was bought again or the customer has stopped buying it. Customers who refused personalisation
    get none. Nothing later than the day is read.

    onebasket reminders --as-of 2017-12-10 --days-ahead 3 --out reminders.csv

    onebasket reminders --as-of 2017-12-10 --most 1 --probability 0.5 --out reminders.parquet
    """
    from models.reminders import ReminderTerms
    from training.exports import reminders as due
    from training.progress import showing_progress
    from training.subject import subject

    terms = ReminderTerms(days_ahead, most, probability)
    bundle = made_bundle(subject("recommend", workspace_of(workspace), recipe, as_of, changes or ()), workspace, out)
    with showing_progress() as progress:
        table = due(bundle, terms, progress)
    write_answer(table, out, bundle)
