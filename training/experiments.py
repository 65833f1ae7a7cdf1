"""Runs, registered models and their aliases in MLflow. The only file that imports MLflow.

The registry holds what was trained and how it did. What is *released* is said by the workspace's RELEASED
pointers alone, since servers read those; the aliases champion and previous follow them (training/release.py).
"""

import functools
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from filelock import FileLock

from features.errors import RegistryError
from features.workspace import Workspace
from models.bundle import Bundle
from training.code_version import code_identity, git_commit, library_versions, lock_hash, package_version
from training.recipe import KINDS, Kind

Alias = Literal["challenger", "champion", "previous"]
ALIASES: tuple[Alias, ...] = ("champion", "challenger", "previous")
PYFUNC = Path(__file__).parent / "pyfunc"
# Parameters longer than this are refused by MLflow.
LONGEST_PARAMETER = 500
BY_CUTOFF = "by_cutoff"
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a kind of model. `number` counts from 1; `version` is its bundle's name."""

    kind: Kind
    number: int
    version: str
    as_of: date
    run_id: str
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What is logged of a training or a backtest. `files` is a folder of artifacts, `recipe` the whole recipe.

    `metrics` are means over the cut-offs; `by_cutoff` become series of points, their step the cut-off as YYYYMMDD.
    """

    kind: Kind
    name: str
    purpose: Literal["train", "backtest"]
    recipe: dict[str, Any]
    settings: dict[str, Any]
    fingerprint: str
    files: Path
    metrics: Mapping[str, float] = field(default_factory=dict)
    by_cutoff: Mapping[date, Mapping[str, float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def registered_name(kind: Kind) -> str:
    """The registered model's name, as in models:/onebasket-recommend@champion."""
    return f"onebasket-{kind}"


def tracking_uri(workspace: Workspace) -> str:
    """The tracking server that MLFLOW_TRACKING_URI names, or the workspace's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.folder / 'mlflow.db'}"


@contextmanager
def _registry_faults(where: str) -> Iterator[None]:
    """Say in one line what MLflow, or the database below it, says in a traceback."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as fault:
        raise RegistryError(
            f"MLflow cannot be used at {where}: {str(fault).splitlines()[0]}. See that the server answers, or that the "
            "file is an MLflow database; one that is damaged can be moved away, and what was trained trained again"
        ) from fault


def _clear(
    method: Callable[Concatenate["Store", Arguments], Answer],
) -> Callable[Concatenate["Store", Arguments], Answer]:
    """A method of the store whose faults in MLflow become RegistryErrors."""

    @functools.wraps(method)
    def run(store: "Store", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with _registry_faults(store.uri):
            return method(store, *args, **kwargs)

    return run


class Store:
    """MLflow, as far as OneBasket uses it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._local = not os.environ.get("MLFLOW_TRACKING_URI")
        self._mlflow = _quiet_mlflow()
        self.uri = tracking_uri(workspace)
        workspace.folder.mkdir(parents=True, exist_ok=True)
        # Two processes that create the tables at the same moment would break each other's migration.
        with FileLock(workspace.folder / "mlflow.lock"), _registry_faults(self.uri):
            self._client = self._mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            self._experiments = {kind: self._experiment(kind) for kind in KINDS}

    def _use(self) -> None:
        """Direct MLflow's global functions to this store.

        MLflow writes the address into the environment too, where it would pass for the user's own choice.
        """
        chosen = os.environ.get("MLFLOW_TRACKING_URI")
        self._mlflow.set_tracking_uri(self.uri)
        if chosen is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)

    def _experiment(self, kind: Kind) -> str:
        name = registered_name(kind)
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = (self._workspace.folder / "artifacts" / kind).as_uri() if self._local else None
        return str(self._client.create_experiment(name, artifact_location=folder))

    @_clear
    def versions(self, kind: Kind) -> list[ModelVersion]:
        """Every registered version, oldest first."""
        named = self._aliases(kind)
        found = self._client.search_model_versions(f"name='{registered_name(kind)}'")
        versions = [self._version(kind, item, named) for item in found if "bundle_version" in item.tags]
        return sorted(versions, key=lambda version: version.number)

    def _aliases(self, kind: Kind) -> dict[str, int]:
        """Alias → version number; empty before the first registration."""
        models = self._client.search_registered_models(f"name='{registered_name(kind)}'")
        if not models:
            return {}
        # A search does not return aliases; the model itself does.
        aliases = self._client.get_registered_model(registered_name(kind)).aliases
        return {alias: int(number) for alias, number in aliases.items()}

    def _version(self, kind: Kind, item: Any, named: dict[str, int]) -> ModelVersion:
        return ModelVersion(
            kind=kind,
            number=int(item.version),
            version=item.tags["bundle_version"],
            as_of=date.fromisoformat(item.tags["as_of"]),
            run_id=item.run_id,
            aliases=tuple(alias for alias in ALIASES if named.get(alias) == int(item.version)),
            metrics=json.loads(item.tags.get("headline", "{}")),
        )

    def find(self, kind: Kind, name: str) -> ModelVersion:
        """The version that a number, a bundle's name or an alias means; RegistryError if there is none."""
        versions = self.versions(kind)
        for version in reversed(versions):
            if name in (version.version, str(version.number), *version.aliases):
                return version
        known = ", ".join(f"{version.number} ({version.version})" for version in versions[-5:]) or "none yet"
        raise RegistryError(f"no {kind} model is registered as {name!r}; there are: {known}. "
                            f"Run onebasket train {kind} first, or see onebasket models")  # fmt: skip

    @_clear
    def register(self, run: Run, bundle: Bundle, headline: Mapping[str, float]) -> ModelVersion:
        """Log a training with its bundle, and register it as a new version with the alias challenger."""
        name = registered_name(run.kind)
        with self._running(run) as run_id:
            model = self._mlflow.pyfunc.log_model(
                name="model",
                python_model=str(PYFUNC / f"{run.kind}.py"),
                artifacts={"bundle": str(bundle.folder)},
                pip_requirements=[f"onebasket=={package_version()}"],
            )
        if not self._client.search_registered_models(f"name='{name}'"):
            self._client.create_registered_model(name)
        tags = {
            "bundle_version": bundle.version,
            "as_of": bundle.as_of.isoformat(),
            "headline": json.dumps(dict(headline)),
        }
        made = self._client.create_model_version(
            name, source=model.model_uri, run_id=run_id, tags=tags, model_id=model.model_id
        )
        self.set_alias(run.kind, "challenger", int(made.version))
        return self.find(run.kind, str(made.version))

    @_clear
    def record(self, run: Run) -> str:
        """Log a backtest; returns the run's id."""
        with self._running(run) as run_id:
            return run_id

    @contextmanager
    def _running(self, run: Run) -> Iterator[str]:
        """A run with everything that says how it came about; it counts as finished only if the block ends well."""
        self._use()
        with self._mlflow.start_run(experiment_id=self._experiments[run.kind], run_name=run.name) as active:
            self._mlflow.set_tags({
                "purpose": run.purpose, "data_fingerprint": run.fingerprint, "code": code_identity(),
                "git": git_commit(), "lock_sha256": lock_hash(), **run.tags,
            })  # fmt: skip
            self._mlflow.log_params({name: str(value)[:LONGEST_PARAMETER] for name, value in _flat(run.settings)})
            self._mlflow.log_params({f"library.{name}": version for name, version in library_versions()})
            self._mlflow.log_dict(run.recipe, "recipe.json")
            self._mlflow.log_metrics(dict(run.metrics))
            for cutoff, figures in run.by_cutoff.items():
                points = {f"{BY_CUTOFF}.{name}": value for name, value in figures.items()}
                self._mlflow.log_metrics(points, step=int(f"{cutoff:%Y%m%d}"))
            if any(run.files.iterdir()):
                self._mlflow.log_artifacts(str(run.files))
            yield active.info.run_id

    @_clear
    def set_alias(self, kind: Kind, alias: Alias, number: int) -> None:
        self._client.set_registered_model_alias(registered_name(kind), alias, str(number))

    @_clear
    def set_headline(self, version: ModelVersion, figures: Mapping[str, float]) -> None:
        self._client.set_model_version_tag(
            registered_name(version.kind), str(version.number), "headline", json.dumps(dict(figures))
        )

    def fetch_bundle(self, version: ModelVersion, folder: Path) -> None:
        """Copy a version's bundle into `folder`, which must be empty; RegistryError if the store cannot give it."""
        self._use()
        source = f"models:/{registered_name(version.kind)}/{version.number}"
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-fetch-") as temporary:
            with _registry_faults(source):
                self._mlflow.artifacts.download_artifacts(source, dst_path=temporary)
            bundles = [path.parent for path in Path(temporary).glob("artifacts/*/bundle.json")]
            if len(bundles) != 1:
                raise RegistryError(f"{source} holds no bundle: train it again with onebasket train {version.kind}")
            shutil.copytree(bundles[0], folder, dirs_exist_ok=True)

    @_clear
    def earlier(self, kind: Kind, key: str, file: str) -> str | None:
        """Text of an artifact of the newest finished run tagged with this key, None if there is none."""
        runs = self._client.search_runs(
            [self._experiments[kind]], f"tags.key = '{key}' AND attributes.status = 'FINISHED'", max_results=1
        )
        if not runs:
            return None
        with tempfile.TemporaryDirectory() as temporary:
            path = self._client.download_artifacts(runs[0].info.run_id, file, temporary)
            return Path(path).read_text("utf-8")


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def _quiet_mlflow() -> ModuleType:
    """Import MLflow without telemetry, and without its messages between ours."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    level = os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    import mlflow
    import mlflow.artifacts
    import mlflow.pyfunc

    for name in ("mlflow", "alembic"):  # MLflow reads its level once: it may have been imported before
        logging.getLogger(name).setLevel(level)
    return mlflow


def offer_to_mlflow(kind: Kind) -> None:
    """Hand MLflow the model class of a kind: it opens the bundle among its artifacts and answers data frames."""
    mlflow = _quiet_mlflow()
    from training.asking import Asked

    # MLflow asks for type hints on predict, which cannot say what our questions are: frames whose every column
    # is optional. It warns of hints that it cannot use, and of none.
    with warnings.catch_warnings(record=True):

        class BundleModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]  # MLflow has no types
            def load_context(self, context: Any) -> None:
                self._asked = Asked(Path(context.artifacts["bundle"]), kind)

            def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # see above
                return self._asked.answer(model_input)

    mlflow.models.set_model(BundleModel())
