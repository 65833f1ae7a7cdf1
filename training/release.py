"""Releases a registered version to the servers of a workspace, and rolls back to the one before.

The truth about what is released is the workspace's RELEASED pointer, because servers answer from it; it is
replaced in one step. The aliases champion and previous follow it: were the process killed between the two, the
alias champion would still name the version before, which is exactly what `follow_pointer` needs to set both
right. Every command that reads or moves the aliases calls it first.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.errors import BundleError, RegistryError
from features.progress import Progress, silent
from features.tables import FORECAST, ORDER_PROPOSALS, QUANTILE_COLUMNS
from features.workspace import Workspace, finish
from models.bundle import Bundle, open_bundle, release_version, released_version
from models.contracts import Query
from models.surfaces import Surfaces
from training.bundles import standing_bundle
from training.experiments import ModelVersion, Store
from training.recipe import Kind


@dataclass(frozen=True)
class Released:
    """What servers answer from now, and what they answered from before (None at the first release)."""

    version: ModelVersion
    before: str | None

    @property
    def changed(self) -> bool:
        return self.before != self.version.version


def release(
    kind: Kind, workspace: Workspace, store: Store, name: str = "challenger", progress: Progress = silent
) -> Released:
    """Release the version that a number, bundle name or alias means. The caller holds the workspace's lock.

    Nothing changes unless the bundle is whole and answers a trial question: RegistryError or BundleError says
    what is wrong.
    """
    follow_pointer(kind, workspace, store)
    return _move(kind, workspace, store, store.find(kind, name), progress)


def roll_back(kind: Kind, workspace: Workspace, store: Store, progress: Progress = silent) -> Released:
    """Release what was released before; doing it twice returns. The caller holds the workspace's lock."""
    follow_pointer(kind, workspace, store)
    previous = [version for version in store.versions(kind) if "previous" in version.aliases]
    if not previous:
        raise RegistryError(f"there is no earlier {kind} release to go back to: onebasket models shows what there is, "
                            f"and onebasket release {kind} --version V releases any of it")  # fmt: skip
    return _move(kind, workspace, store, previous[0], progress)


def _move(kind: Kind, workspace: Workspace, store: Store, version: ModelVersion, progress: Progress) -> Released:
    with progress.step(f"checking {version.version}"):
        try_answer(_bundle_of(version, workspace, store))
    before = released_version(workspace.bundles, kind)
    release_version(workspace.bundles, kind, version.version)
    follow_pointer(kind, workspace, store)
    return Released(store.find(kind, str(version.number)), before)


def follow_pointer(kind: Kind, workspace: Workspace, store: Store) -> None:
    """Make champion name the released version, and previous the one that champion named until then.

    A released bundle that the registry does not hold (its database was replaced) leaves the aliases alone.
    """
    released = released_version(workspace.bundles, kind)
    versions = store.versions(kind)
    holding = [version for version in versions if version.version == released]
    champion = [version for version in versions if "champion" in version.aliases]
    if not holding or (champion and champion[0].version == released):
        return
    if champion:
        store.set_alias(kind, "previous", champion[0].number)
    store.set_alias(kind, "champion", holding[-1].number)


def _bundle_of(version: ModelVersion, workspace: Workspace, store: Store) -> Bundle:
    """The version's bundle in the workspace, fetched from the registry where it does not stand."""
    standing = standing_bundle(workspace, version.kind, version.version)
    if standing is not None:
        return standing
    folder = workspace.unfinished(f"bundles/{version.kind}", version.version)
    store.fetch_bundle(version, folder)
    open_bundle(folder, version.kind)
    return open_bundle(finish(folder), version.kind)


def try_answer(bundle: Bundle) -> None:
    """Ask a bundle what a server would ask it; BundleError if it cannot answer."""
    try:
        if bundle.kind == "recommend":
            _try_recommend(bundle.folder)
        else:
            _try_forecast(bundle.folder)
    except BundleError:
        raise
    except Exception as fault:
        raise BundleError(f"{bundle.version} cannot answer ({fault}): train it again") from fault


def _try_recommend(folder: Path) -> None:
    surfaces = Surfaces.open(folder / "surfaces")
    known = surfaces.purchases.customers.values[:1]
    answers = surfaces.answer("for-you", [Query(customer_id=customer) for customer in [*known, None]], 3)
    if not all(answers):
        raise BundleError(f"{folder.name} has nothing to recommend: ingest purchases and train again")


def _try_forecast(folder: Path) -> None:
    forecast = pq.read_table(folder / "forecast.parquet")
    orders = pq.read_table(folder / "order_proposals.parquet")
    for table, have in ((FORECAST, forecast), (ORDER_PROPOSALS, orders)):
        missing = [name for name in table.column_names if name not in have.column_names]
        if missing:
            raise BundleError(f"{folder.name}: {table.name} lacks {', '.join(missing)}: train it again")
    figures = np.column_stack([forecast[name].to_numpy() for name in ("mean_units", *QUANTILE_COLUMNS)])
    if not (np.isfinite(figures).all() and (figures >= 0).all()):
        raise BundleError(f"{folder.name}: the forecast holds figures that are no quantities: train it again")
