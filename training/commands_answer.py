"""Commands that write answers as files: recommend, forecast, orders and demand."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.command import AsOfOption, RecipeOption, SetOption, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from models.bundle import Bundle
    from training.subject import Subject

OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="A .parquet or .csv; replaced if it is there.")]
STOPPED = "no file was written; a model that was already fitted is kept"


@command(STOPPED)
def recommend(
    out: OutOption,
    as_of: AsOfOption = None,
    surface: Annotated[
        str, typer.Option("--surface", help="for-you, buy-again, with-basket, similar or trending.")
    ] = "for-you",
    limit: Annotated[int, typer.Option("--limit", help="Products per customer.")] = 20,
    language: Annotated[str, typer.Option("--language", help="Of the reasons: en or zh.")] = "en",
    recipe: RecipeOption = None,
    changes: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a ranked list for every known customer, from nothing later than a day.

    onebasket recommend --as-of 2017-12-10 --surface for-you --limit 20 --out for-you.parquet
    """
    from training.exports import check_language, check_limit, check_surface, recommendations
    from training.progress import showing_progress
    from training.subject import subject

    check_limit(limit)
    list_name, spoken = check_surface(surface), check_language(language)
    chosen = subject("recommend", workspace_of(workspace), recipe, as_of, changes or ())
    bundle = made_bundle(chosen, workspace, out)
    with showing_progress() as progress:
        table = recommendations(bundle, list_name, limit, progress, spoken)
    write_answer(table, out, bundle)


@command(STOPPED)
def forecast(
    out: OutOption,
    as_of: AsOfOption = None,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", metavar="DAYS", show_default=False,
                     help="Days ahead [default: the recipe's forecast.horizon_days]."),
    ] = None,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:  # fmt: skip
    """Write the demand of each coming day as mean and quantiles, from nothing later than a day.

    onebasket forecast --as-of 2017-12-10 --horizon 28 --out forecast.parquet
    """
    from training.exports import check_horizon, forecasts
    from training.subject import subject

    if horizon is not None:
        check_horizon(horizon)
    place = workspace_of(workspace)
    chosen = subject("forecast", place, recipe, as_of, changes or ())
    if horizon is not None and horizon > chosen.recipe.forecast.horizon_days:
        chosen = subject("forecast", place, recipe, as_of, [*(changes or ()), f"forecast.horizon_days={horizon}"])
    bundle = made_bundle(chosen, workspace, out)
    write_answer(forecasts(bundle, horizon or chosen.recipe.forecast.horizon_days), out, bundle)


@command(STOPPED)
def orders(
    out: OutOption,
    as_of: AsOfOption = None,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write what to order for each product and location, with the reasons, from nothing later than a day.

    onebasket orders --as-of 2017-12-10 --out orders.csv
    """
    from training.exports import orders as proposals
    from training.subject import subject

    bundle = made_bundle(subject("forecast", workspace_of(workspace), recipe, as_of, changes or ()), workspace, out)
    write_answer(proposals(bundle), out, bundle)


@command("no file was written")
def demand(
    out: OutOption,
    as_of: AsOfOption = None,
    location: Annotated[
        str | None, typer.Option("--location", metavar="ID", show_default=False, help="Only this location.")
    ] = None,
    product: Annotated[
        str | None, typer.Option("--product", metavar="ID", show_default=False, help="Only this product.")
    ] = None,
    chance: Annotated[
        float, typer.Option("--chance", min=1e-9, max=0.5, help="Suspect a run without a sale that is less probable.")
    ] = 0.01,
    workspace: WorkspaceOption = None,
) -> None:
    """Write every day of every product and location: on offer, open, sold, in stock, price, promotion.

    Days without a sale are there too, from the first sale or listing on. Runs of them that are improbable are flagged
    as suspected stock-outs: a flag, no truth. Nothing later than the day is read.

    onebasket demand --as-of 2017-12-10 --location 367 --out demand.parquet
    """
    from features.demand_days import SCHEMA, demand_days
    from features.stockouts import StockoutSettings
    from training.exports import check_target, write_parts
    from training.subject import day_within

    check_target(out)
    snapshot = workspace_of(workspace).snapshot()
    day = day_within(snapshot, as_of)
    rows = write_parts(demand_days(snapshot, day, location, product, StockoutSettings(chance=chance)), SCHEMA, out)
    print(f"{rows:,} rows as of {day} from {snapshot.version}: {out}")


def made_bundle(chosen: "Subject", workspace: Path | None, out: Path) -> "Bundle":
    from training.exports import bundle_for, check_target
    from training.progress import showing_progress

    check_target(out)
    with showing_progress() as progress:
        return bundle_for(chosen, workspace_of(workspace), _say, progress)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def write_answer(table: Any, out: Path, bundle: "Bundle") -> None:
    from training.exports import write_file

    write_file(table, out)
    print(f"{table.num_rows:,} rows as of {bundle.as_of} from {bundle.version}: {out}")
