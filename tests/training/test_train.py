import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.progress import Step, silent
from features.workspace import UNFINISHED, Workspace
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, CHEAP_FORECAST, cheap, done
from training.bundles import KEPT_BUNDLES, fitted_bundle, standing_bundle
from training.experiments import Store
from training.recipe import KINDS, Kind
from training.subject import Subject, subject
from training.train import train


class StoppedAt:
    """Progress that behaves as if Ctrl-C was pressed at the n-th step."""

    def __init__(self, number: int) -> None:
        self._left = number

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Step]:
        with silent.step(name, total) as step:
            yield step
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt


def cheap_subject(workspace: Path, kind: Kind, as_of: str = AS_OF, *changes: str) -> Subject:
    return subject(kind, Workspace(workspace), None, as_of, [*cheap(kind)[1::2], *changes])


def test_equal_rows_and_settings_give_an_equal_version(shop: Path):
    one, again = cheap_subject(shop, "recommend"), cheap_subject(shop, "recommend")
    assert one.version == again.version
    assert one.version.startswith(f"recommend-{AS_OF}-")


@pytest.mark.parametrize(("as_of", "changes"), [("2024-04-27", ()), (AS_OF, ("recommend.seed=8",))])
def test_another_day_or_setting_gives_another_version(shop: Path, as_of: str, changes: tuple[str, ...]):
    assert cheap_subject(shop, "recommend", as_of, *changes).version != cheap_subject(shop, "recommend").version


def test_settings_of_the_other_kind_do_not_change_the_version(shop: Path):
    other = cheap_subject(shop, "recommend", AS_OF, "forecast.horizon_days=7")
    assert other.version == cheap_subject(shop, "recommend").version


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_subject_fits_to_the_same_bytes(kind: Kind, own_shop: Path, tmp_path: Path):
    chosen = cheap_subject(own_shop, kind)
    other = Workspace(tmp_path / "other")
    one, two = fitted_bundle(chosen, Workspace(own_shop)), fitted_bundle(chosen, other)
    assert (one.folder / "bundle.json").read_bytes() == (two.folder / "bundle.json").read_bytes()


def test_training_the_same_again_finds_that_it_stands(own_trained_shop: Path):
    told = done(own_trained_shop, "train", "recommend", "--as-of", AS_OF, *CHEAP)
    assert "is version 1 of onebasket-recommend, now challenger (stood already)" in told.stdout


def test_the_newest_training_is_the_challenger(own_trained_shop: Path):
    done(own_trained_shop, "train", "recommend", "--as-of", "2024-04-21", *CHEAP)
    versions = Store(Workspace(own_trained_shop)).versions("recommend")
    assert [(version.as_of, version.aliases) for version in versions] == [
        (date.fromisoformat(AS_OF), ()),
        (date(2024, 4, 21), ("challenger",)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_at_any_step_registers_nothing_and_the_next_training_succeeds(kind: Kind, own_shop: Path):
    workspace, chosen = Workspace(own_shop), cheap_subject(own_shop, kind)
    store = Store(workspace)
    for number in range(1, 10):
        try:
            with workspace.writing("train"):
                trained = train(chosen, workspace, store, StoppedAt(number))
        except KeyboardInterrupt:
            finished = standing_bundle(workspace, kind, chosen.version)
            assert finished is None or finished.version == chosen.version
            continue
        break
    assert number > 2, "it must have been stopped at least twice on the way"
    assert [version.version for version in store.versions(kind)] == [chosen.version]
    with workspace.writing("nothing"):
        assert not list((workspace.bundles / kind).glob(UNFINISHED + "*"))
    assert trained.version.aliases == ("challenger",)


def test_old_bundles_are_pruned_but_never_the_released_one(own_trained_shop: Path):
    done(own_trained_shop, "release", "recommend")
    workspace = Workspace(own_trained_shop)
    released = (workspace.bundles / "recommend" / "RELEASED").read_text()
    for number in range(KEPT_BUNDLES):
        shutil.copytree(workspace.bundles / "recommend" / released, workspace.bundles / "recommend" / f"old-{number}")
        os.utime(workspace.bundles / "recommend" / f"old-{number}", (number, number))
    newest = fitted_bundle(cheap_subject(own_trained_shop, "recommend", "2024-04-21"), workspace).version
    left = {path.name for path in (workspace.bundles / "recommend").iterdir() if path.is_dir()}
    assert left == {released, newest, *(f"old-{number}" for number in range(2, KEPT_BUNDLES))}


def test_training_with_a_backtest_puts_its_figures_beside_the_version_and_into_the_bundle(own_shop: Path):
    done(own_shop, "train", "forecast", "--as-of", AS_OF, "--backtest", *CHEAP_FORECAST, "--set", "backtest.cutoffs=1")
    version = Store(Workspace(own_shop)).versions("forecast")[0]
    assert set(version.metrics) == {"wape", "rmsse", "bias"}
    bundle: dict[str, Any] = json.loads((own_shop / "bundles/forecast" / version.version / "bundle.json").read_text())
    assert bundle["facts"]["metrics"] == version.metrics
