import shutil
from pathlib import Path

import pytest

from features.errors import BundleError, RegistryError
from features.workspace import Workspace
from models.bundle import release_version, released_version
from tests.fixtures.tiny_workspace import AS_OF, done, onebasket
from training.experiments import Store
from training.release import follow_pointer, release, roll_back


@pytest.fixture
def two_versions(twice_trained_shop: Path, tmp_path: Path) -> Workspace:
    """Version 1 of the recommender released, version 2 trained after it."""
    shutil.copytree(twice_trained_shop, tmp_path / "twice")
    return Workspace(tmp_path / "twice")


def aliases(workspace: Workspace) -> dict[int, tuple[str, ...]]:
    return {version.number: version.aliases for version in Store(workspace).versions("recommend")}


def test_release_points_servers_at_the_challenger_and_makes_it_champion(two_versions: Workspace):
    released = release("recommend", two_versions, Store(two_versions))
    assert released_version(two_versions.bundles, "recommend") == released.version.version
    assert aliases(two_versions) == {1: ("previous",), 2: ("champion", "challenger")}


def test_rollback_returns_to_the_version_before_and_a_second_one_comes_back(two_versions: Workspace):
    store = Store(two_versions)
    second = release("recommend", two_versions, store).version.version
    first = roll_back("recommend", two_versions, store).version.version
    assert released_version(two_versions.bundles, "recommend") == first != second
    assert aliases(two_versions) == {1: ("champion",), 2: ("challenger", "previous")}
    assert roll_back("recommend", two_versions, store).version.version == second


def test_releasing_what_is_released_changes_nothing(two_versions: Workspace):
    before = aliases(two_versions)
    assert not release("recommend", two_versions, Store(two_versions), "1").changed
    assert aliases(two_versions) == before


@pytest.mark.parametrize("name", ["2", "challenger"])
def test_a_version_is_released_by_its_number_or_an_alias(two_versions: Workspace, name: str):
    assert release("recommend", two_versions, Store(two_versions), name).version.number == 2


def test_a_version_is_released_by_its_name(two_versions: Workspace):
    store = Store(two_versions)
    name = store.find("recommend", "2").version
    assert release("recommend", two_versions, store, name).version.version == name


def test_a_release_killed_before_its_aliases_heals_with_the_next_command(two_versions: Workspace):
    second = Store(two_versions).find("recommend", "2")
    release_version(two_versions.bundles, "recommend", second.version)  # and killed here
    assert aliases(two_versions)[1] == ("champion",)
    done(two_versions.folder, "models")
    assert aliases(two_versions) == {1: ("previous",), 2: ("champion", "challenger")}


def test_a_release_killed_between_its_aliases_heals_too(two_versions: Workspace):
    store = Store(two_versions)
    release_version(two_versions.bundles, "recommend", store.find("recommend", "2").version)
    store.set_alias("recommend", "previous", 1)  # and killed here
    follow_pointer("recommend", two_versions, store)
    assert aliases(two_versions) == {1: ("previous",), 2: ("champion", "challenger")}


def test_a_bundle_that_is_gone_from_the_workspace_is_fetched_from_the_registry(two_versions: Workspace):
    second = Store(two_versions).find("recommend", "2").version
    folder = two_versions.bundles / "recommend" / second
    sealed = (folder / "bundle.json").read_bytes()
    shutil.rmtree(folder)
    done(two_versions.folder, "release", "recommend", "--version", "2")
    assert (folder / "bundle.json").read_bytes() == sealed


def test_a_damaged_bundle_is_fetched_again(two_versions: Workspace):
    second = Store(two_versions).find("recommend", "2").version
    damaged = next((two_versions.bundles / "recommend" / second).rglob("*.npy"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    done(two_versions.folder, "release", "recommend", "--version", "2")
    assert damaged.read_bytes() == whole


def test_a_version_whose_files_are_gone_everywhere_is_not_released(two_versions: Workspace):
    second = Store(two_versions).find("recommend", "2")
    shutil.rmtree(two_versions.bundles / "recommend" / second.version)
    store = Store(two_versions)
    store.fetch_bundle = _lost  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="lost"):
        release("recommend", two_versions, store, "2")
    assert aliases(two_versions)[1] == ("champion",)


def _lost(version: object, folder: object) -> None:
    raise RegistryError("lost")


def test_a_bundle_that_cannot_answer_is_not_released(two_versions: Workspace, monkeypatch: pytest.MonkeyPatch):
    def broken(folder: Path) -> None:
        raise ValueError("no such array")

    monkeypatch.setattr("training.release._try_recommend", broken)
    before = released_version(two_versions.bundles, "recommend")
    with pytest.raises(BundleError, match=r"cannot answer \(no such array\): train it again"):
        release("recommend", two_versions, Store(two_versions), "2")
    assert released_version(two_versions.bundles, "recommend") == before


def test_without_an_earlier_release_there_is_nothing_to_go_back_to(own_trained_shop: Path):
    done(own_trained_shop, "release", "forecast")
    result = onebasket(own_trained_shop, "rollback", "forecast")
    assert result.exit_code == 2
    assert "onebasket release forecast --version V" in result.stderr


def test_the_released_forecast_is_as_of_the_day_trained(own_trained_shop: Path):
    told = done(own_trained_shop, "release", "forecast").stdout
    assert f"servers answer from forecast-{AS_OF}-" in told
