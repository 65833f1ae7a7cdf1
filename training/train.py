"""Trains a subject and registers it: bundle first, then MLflow. Whatever stands already is not done again."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from features.progress import Progress, silent
from features.workspace import Workspace
from models.bundle import Bundle
from training.bundles import fitted_bundle
from training.experiments import ModelVersion, Run, Store
from training.plots import draw_backtest, draw_bundle
from training.release import follow_pointer
from training.scoreboard import Scoreboard, flat_name
from training.subject import Subject

HEADLINE_METRICS = {
    "recommend": ("recall@10", "ndcg@10", "hit@10"),
    "forecast": ("wape", "rmsse", "bias"),
}


@dataclass(frozen=True)
class Trained:
    """The registered version; `fresh` is false where it stood already."""

    version: ModelVersion
    bundle: Bundle
    fresh: bool

    @property
    def notes(self) -> list[str]:
        """What was trained otherwise than the settings asked, and why."""
        path = self.bundle.folder / "surfaces" / "surfaces.json"
        notes: list[str] = json.loads(path.read_text("utf-8"))["notes"] if path.is_file() else []
        return notes


def train(
    subject: Subject, workspace: Workspace, store: Store, progress: Progress = silent, board: Scoreboard | None = None
) -> Trained:
    """Fit, seal and register the subject as challenger. The caller holds the workspace's lock.

    Interrupted after the fit, the next call goes on from the sealed bundle. `board` is a backtest of the same
    settings whose figures are to stand beside the version.
    """
    figures = headline(subject, board) if board is not None else None
    bundle = fitted_bundle(subject, workspace, progress, figures)
    follow_pointer(subject.kind, workspace, store)
    same = [version for version in store.versions(subject.kind) if version.version == subject.version]
    if same:
        store.set_alias(subject.kind, "challenger", same[-1].number)
        if board is not None:
            store.set_headline(same[-1], figures or {})
        return Trained(store.find(subject.kind, str(same[-1].number)), bundle, fresh=False)
    with progress.step("registering the model"), tempfile.TemporaryDirectory() as files:
        version = _register(subject, bundle, store, Path(files), board)
    return Trained(version, bundle, fresh=True)


def _register(subject: Subject, bundle: Bundle, store: Store, files: Path, board: Scoreboard | None) -> ModelVersion:
    draw_bundle(bundle, files)
    if board is not None:
        draw_backtest(subject.kind, board, files)
        board.frame().to_csv(files / "backtest.csv", index=False)
    figures = headline(subject, board) if board is not None else {}
    run = Run(
        kind=subject.kind,
        name=subject.version,
        purpose="train",
        recipe=subject.recipe.model_dump(mode="json"),
        settings=subject.settings,
        fingerprint=subject.fingerprint,
        files=files,
        metrics=board.flat(method_of(subject)) if board is not None else {},
        by_cutoff=board.flat_by_cutoff(method_of(subject)) if board is not None else {},
        tags={"as_of": subject.as_of.isoformat(), "retailer": subject.recipe.retailer.name},
    )
    return store.register(run, bundle, figures)


def method_of(subject: Subject) -> str:
    """The roster's name of the method that the recipe releases."""
    recipe = subject.recipe
    return recipe.recommend.recommender if subject.kind == "recommend" else recipe.forecast.forecaster


def headline(subject: Subject, board: Scoreboard) -> dict[str, float]:
    """The few figures that stand beside a version in `onebasket models`: means over the cut-offs."""
    figures = board.flat(method_of(subject))
    return {name: round(figures[flat_name(name)], 4) for name in HEADLINE_METRICS[subject.kind]
            if flat_name(name) in figures}  # fmt: skip
