"""Workspaces shared by the tests of training: starting MLflow and ingesting take seconds."""

import shutil
from pathlib import Path

import pytest

from tests.fixtures.tiny_workspace import AS_OF, cheap, done, ingested


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the tiny shop ingested; read it, or copy it."""
    return ingested(tmp_path_factory.mktemp("shop"))


def ingested_only(shop: Path, workspace: Path) -> Path:
    """A copy without the registry that a command may have made in the shared shop: it holds absolute paths."""
    shutil.copytree(shop, workspace, ignore=shutil.ignore_patterns("mlflow.*", "artifacts", "bundles"))
    return workspace


@pytest.fixture(scope="session")
def trained_shop(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a cheap model of each kind registered as of AS_OF, nothing released."""
    workspace = ingested_only(shop, tmp_path_factory.mktemp("trained") / "workspace")
    for kind in ("recommend", "forecast"):
        done(workspace, "train", kind, "--as-of", AS_OF, *cheap(kind))
    return workspace


@pytest.fixture
def own_shop(shop: Path, tmp_path: Path) -> Path:
    """A copy of the ingested workspace that a test may change."""
    return ingested_only(shop, tmp_path / "workspace")


@pytest.fixture
def own_trained_shop(trained_shop: Path, tmp_path: Path) -> Path:
    """A copy of the workspace with trained models that a test may change."""
    shutil.copytree(trained_shop, tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture(scope="session")
def twice_trained_shop(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the recommender released, and a second one trained after it."""
    workspace = tmp_path_factory.mktemp("twice") / "workspace"
    shutil.copytree(trained_shop, workspace)
    done(workspace, "release", "recommend")
    done(workspace, "train", "recommend", "--as-of", "2024-04-21", *cheap("recommend"))
    return workspace
