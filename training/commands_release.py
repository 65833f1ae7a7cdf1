"""Commands that decide what servers answer from: release, rollback and models."""

from typing import TYPE_CHECKING, Annotated

import typer

from training.command import JsonOption, KindArgument, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from training.release import Released

UNCHANGED = "servers answer from what they answered from before, or from the new version if it was already released"


@command(UNCHANGED)
def release(
    kind: KindArgument,
    version: Annotated[
        str, typer.Option("--version", metavar="V", help="A number, a version's name, or an alias.")
    ] = "challenger",
    workspace: WorkspaceOption = None,
) -> None:
    """Let servers answer from a trained version; running servers take it up within seconds.

    onebasket release recommend

    onebasket release forecast --version 3
    """
    from training.experiments import Store
    from training.progress import showing_progress
    from training.release import release as move

    place = workspace_of(workspace)
    with place.writing(f"release {kind}"), showing_progress() as progress:
        released = move(kind, place, Store(place), version, progress)
    _print_released(released)


@command(UNCHANGED)
def rollback(kind: KindArgument, workspace: WorkspaceOption = None) -> None:
    """Let servers answer again from the version before; a second rollback returns.

    onebasket rollback recommend
    """
    from training.experiments import Store
    from training.progress import showing_progress
    from training.release import roll_back

    place = workspace_of(workspace)
    with place.writing(f"rollback {kind}"), showing_progress() as progress:
        released = roll_back(kind, place, Store(place), progress)
    _print_released(released)


def _print_released(released: "Released") -> None:
    version = released.version
    if not released.changed:
        print(f"{version.version} was released already")
        return
    print(
        f"servers answer from {version.version} (version {version.number}), before from {released.before or 'nothing'}"
    )
    if released.before:
        print(f"go back with: onebasket rollback {version.kind}")


@command("nothing was changed")
def models(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List what was trained, what is released, and how it did in its backtest.

    onebasket models --json
    """
    from training.experiments import Store
    from training.printing import print_versions
    from training.recipe import KINDS
    from training.release import follow_pointer

    place = workspace_of(workspace)
    store = Store(place)
    for kind in KINDS:
        follow_pointer(kind, place, store)
    versions = [version for kind in KINDS for version in store.versions(kind)]
    if not versions and not as_json:
        print("nothing is trained yet: onebasket train recommend, onebasket train forecast")
        return
    print_versions(versions, as_json=as_json)
