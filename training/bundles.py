"""Fits what a subject asks for and writes it as a bundle; a bundle that already stands is used again."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.demand import Panel, PanelSettings, load_panel
from features.errors import BundleError
from features.history import load_purchases
from features.joined_accounts import AccountNumbers, JoinedAccounts
from features.opt_outs import opted_out_as_of
from features.progress import Progress, silent
from features.sources import Identity
from features.who import accounts_as_of
from features.workspace import Workspace, finish
from models.bundle import Bundle, open_bundle, released_version, restate, seal
from models.forecast_table import forecast_table
from models.forecasters import make_forecaster
from models.observed import listed_panel
from models.recommenders import make_recommender
from models.replenishment import propose
from models.surfaces import Surfaces
from training.recipe import Kind
from training.subject import Subject

KEPT_BUNDLES = 8  # a pruned one is fetched from the registry or fitted again when it is asked for


def standing_bundle(workspace: Workspace, kind: Kind, version: str) -> Bundle | None:
    """The checked bundle of that version if it lies in the workspace, else None; a damaged one counts as absent."""
    folder = workspace.bundles / kind / version
    if not folder.is_dir():
        return None
    try:
        return open_bundle(folder, kind)
    except BundleError:
        return None


def fitted_bundle(
    subject: Subject, workspace: Workspace, progress: Progress = silent, metrics: Mapping[str, float] | None = None
) -> Bundle:
    """Return the subject's bundle, fitting it if it does not stand yet. The caller holds the workspace's lock.

    The folder appears under its final name only when it is complete. It is not released and not registered.
    `metrics` are the headline figures of its backtest, for servers to show.
    """
    standing = standing_bundle(workspace, subject.kind, subject.version)
    if standing is not None:
        return with_metrics(standing, metrics) if metrics else standing
    folder = workspace.unfinished(f"bundles/{subject.kind}", subject.version)
    sealed = fit_into(folder, subject, progress)
    if metrics:
        with_metrics(sealed, metrics)
    kept = finish(folder)
    _prune(workspace, subject.kind, keep=kept)
    return open_bundle(kept, subject.kind)


def fit_into(folder: Path, subject: Subject, progress: Progress) -> Bundle:
    """Fit the subject, write its files into `folder` and seal them."""
    if subject.kind == "recommend":
        _fit_recommend(folder, subject, progress)
    else:
        _fit_forecast(folder, subject, progress)
    return seal(folder, subject.kind, subject.version, subject.as_of, subject.facts)


def with_metrics(bundle: Bundle, metrics: Mapping[str, float]) -> Bundle:
    """The bundle with the figures of its backtest beside it."""
    facts = {**bundle.facts, "metrics": dict(metrics)}
    return bundle if facts == bundle.facts else restate(bundle, facts)


def _fit_recommend(folder: Path, subject: Subject, progress: Progress) -> None:
    settings = subject.recipe.recommend
    make_recommender(settings.recommender, settings)  # an unknown name is told before the work, not after
    with progress.step("reading the purchase history"):
        accounts = accounts_as_of(subject.snapshot, subject.as_of)
        purchases = load_purchases(subject.snapshot, subject.as_of, accounts)
        opted_out = opted_out_as_of(subject.snapshot, subject.as_of, accounts)
        joined = JoinedAccounts.of(accounts, _account_numbers(subject))
    with progress.step(f"fitting {settings.recommender}"):
        surfaces = Surfaces.fit(purchases, settings, opted_out, joined=joined)
    with progress.step("writing the bundle"):
        surfaces.save(folder / "surfaces")


def _account_numbers(subject: Subject) -> AccountNumbers:
    """How the snapshot names accounts; the recipe at hand may be a changed one."""
    return Identity.model_validate(subject.snapshot.facts["recipe"]["identity"]).account_numbers


def panel_settings(subject: Subject) -> PanelSettings:
    """What the panel must hold for the subject's forecast; plans are read as far as the forecast reaches.

    Series that no longer sell are in it, to be learnt from: without them the past looks too good.
    """
    settings = subject.recipe.forecast
    return PanelSettings(
        history_days=settings.history_days,
        min_sale_days=settings.min_sale_days,
        active_days=settings.history_days,
        ahead_days=settings.horizon_days,
    )


def _fit_forecast(folder: Path, subject: Subject, progress: Progress) -> None:
    settings = subject.recipe.forecast
    forecaster = make_forecaster(settings.forecaster, settings)
    with progress.step("reading demand"):
        panel = load_panel(subject.snapshot, subject.as_of, panel_settings(subject))
    with progress.step(f"fitting {settings.forecaster}"):
        forecaster.fit(panel)
    panel = listed_panel(panel, settings)
    with progress.step(f"forecasting {len(panel):,} series"):
        forecast = forecaster.forecast(panel, settings.horizon_days)
        pq.write_table(forecast_table(forecast, subject.version), folder / "forecast.parquet")
    with progress.step("proposing orders"):
        orders = propose(forecaster, panel, subject.snapshot, subject.recipe.replenishment, subject.version,
                         forecast=forecast)  # fmt: skip
        pq.write_table(orders, folder / "order_proposals.parquet")
    pq.write_table(_products(panel, subject), folder / "products.parquet")
    (folder / "model").mkdir()
    forecaster.save(folder / "model")


def _products(panel: Panel, subject: Subject) -> pa.Table:
    """Name and category path of every product with a forecast, sorted; without a catalog its id is its name."""
    products = sorted(set(panel.product_ids))
    catalog = subject.snapshot.read("catalog") if subject.snapshot.holds("catalog") else None
    rows = {row["product_id"]: row for row in catalog.to_pylist()} if catalog is not None else {}
    return pa.table({
        "product_id": pa.array(products, pa.string()),
        "name": pa.array([rows.get(product, {}).get("name") or product for product in products], pa.string()),
        "category": pa.array([rows.get(product, {}).get("category") or [] for product in products],
                             pa.list_(pa.string())),
    })  # fmt: skip


def _prune(workspace: Workspace, kind: Kind, keep: Path) -> None:
    """Drop the oldest bundles beyond KEPT_BUNDLES, never the released one nor `keep`."""
    released = released_version(workspace.bundles, kind)
    others = [path for path in keep.parent.iterdir() if path.is_dir() and path != keep and path.name != released]
    others.sort(key=lambda path: path.stat().st_mtime)
    for old in others[: max(0, len(others) - KEPT_BUNDLES + 2)]:
        shutil.rmtree(old, ignore_errors=True)
