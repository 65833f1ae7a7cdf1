"""Commands that learn and judge: train and backtest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from training.command import AsOfOption, KindArgument, RecipeOption, SetOption, WorkspaceOption, command, workspace_of


@command("no version was registered; a model that was already fitted is kept, and the next train goes on from it")
def train(
    kind: KindArgument,
    recipe: RecipeOption = None,
    as_of: AsOfOption = None,
    changes: SetOption = None,
    backtest: Annotated[bool, typer.Option("--backtest", help="Also judge it, for the figures in models.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Learn from the history as of a day, and register the model as challenger in MLflow.

    Nothing is answered from it until onebasket release. Training the same again finds that it stands already.

        onebasket train recommend --as-of 2017-12-10

        onebasket train forecast --as-of 2017-12-10 --set forecast.horizon_days=14 --backtest
    """
    from training.backtest import cutoffs_of, judge
    from training.experiments import Store
    from training.progress import showing_progress
    from training.subject import subject
    from training.train import train as learn

    place = workspace_of(workspace)
    chosen = subject(kind, place, recipe, as_of, changes or ())
    with place.writing(f"train {kind}"), showing_progress() as progress:
        store = Store(place)
        board = judge(chosen, store, cutoffs_of(chosen, None), (), progress) if backtest else None
        trained = learn(chosen, place, store, progress, board)
    version = trained.version
    stood = "" if trained.fresh else " (stood already)"
    print(f"{version.version} is version {version.number} of onebasket-{kind}, now challenger{stood}")
    for note in trained.notes:
        print(f"note: {note}")
    print(f"release it with: onebasket release {kind}")


@command("no figures were kept; the workspace is as it was")
def backtest(
    kind: KindArgument,
    recipe: RecipeOption = None,
    cutoffs: Annotated[
        str | None,
        typer.Option("--cutoffs", metavar="DAYS|N", show_default=False,
                     help="First days of the target windows, comma-separated, or how many windows counted back from "
                     "the end [default: the recipe's backtest.cutoffs]."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option("--methods", metavar="NAMES", show_default=False,
                     help="Comma-separated names of the roster [default: all]."),
    ] = None,
    changes: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.csv", help="Also write every figure to this file.", show_default=False),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:  # fmt: skip
    """Judge methods on the past: learn up to a day, predict what follows, compare with what happened.

    onebasket backtest recommend --cutoffs 2017-10-09,2017-10-30

    onebasket backtest forecast --cutoffs 2 --methods boosted,moving_average --out scores.csv
    """
    from training.backtest import cutoffs_of, judge
    from training.experiments import Store
    from training.exports import check_target, score_table, write_file
    from training.printing import print_scores, print_segments
    from training.progress import showing_progress
    from training.subject import subject

    if out is not None:
        check_target(out)
    place = workspace_of(workspace)
    chosen = subject(kind, place, recipe, None, changes or ())
    names = tuple(name.strip() for name in (methods or "").split(",") if name.strip())
    with showing_progress() as progress:
        board = judge(chosen, Store(place), cutoffs_of(chosen, cutoffs), names, progress)
    print_scores(kind, board)
    print_segments(kind, board)
    if out is not None:
        write_file(score_table(board), out)
        print(f"every figure is in {out}", file=sys.stderr)
