from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from features.errors import RegistryError, TableError
from features.tables import FORECAST
from features.workspace import Workspace
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, CHEAP_FORECAST, done, onebasket
from training.code_version import code_identity, lock_hash
from training.experiments import Store, registered_name, tracking_uri
from training.recipe import KINDS, Kind


@pytest.fixture
def at_trained_shop(trained_shop: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The trained shop's store, with MLflow's own functions pointed at it as a user would."""
    uri = tracking_uri(Workspace(trained_shop))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # undone afterwards, also what MLflow writes there
    mlflow.set_tracking_uri(uri)
    return Store(Workspace(trained_shop))


def ask(kind: Kind, questions: dict[str, list[Any]]) -> pd.DataFrame:
    model = mlflow.pyfunc.load_model(f"models:/{registered_name(kind)}@challenger")
    answer: pd.DataFrame = model.predict(pd.DataFrame(questions))
    return answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_holds_what_made_the_model(kind: Kind, at_trained_shop: Store):
    version = at_trained_shop.versions(kind)[0]
    run = mlflow.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["code"] == code_identity()
    assert run.data.tags["lock_sha256"] == lock_hash()
    assert run.data.tags["as_of"] == AS_OF
    assert run.data.tags["retailer"] == "tiny-shop"
    assert len(run.data.tags["data_fingerprint"]) >= 16
    recipe = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/recipe.json")
    assert recipe["retailer"]["name"] == "tiny-shop"
    method = {"recommend": "recommend.recommender", "forecast": "forecast.forecaster"}[kind]
    assert run.data.params[method] in ("personal", "moving_average")
    assert "library.lightgbm" in run.data.params


def test_the_registered_recommender_answers_frames(at_trained_shop: Store):
    answer = ask("recommend", {"customer_id": ["c00", None], "limit": [3, 2], "surface": ["for-you", None]})
    assert answer.groupby("question").size().tolist() == [3, 2]
    assert set(answer["surface"]) == {"for-you"}
    assert answer["reason"].str.len().min() > 0


def test_the_registered_recommender_gives_reasons_in_the_language_of_the_question(at_trained_shop: Store):
    answer = ask("recommend", {"customer_id": ["c00", "c00", "c00"], "limit": 1, "language": ["zh", "en", None]})
    assert answer["reason"].str.startswith(("买过", "bought")).all()
    assert (answer["reason"].str.startswith("买过")).tolist() == [True, False, False]


def test_the_registered_forecaster_answers_frames(at_trained_shop: Store):
    answer = ask("forecast", {"product_id": ["p00"], "location_id": ["s0"], "target_date": ["2024-04-29"]})
    assert list(answer.columns) == list(FORECAST.column_names)
    assert len(answer) == 1
    assert answer["mean_units"].item() == pytest.approx(5, abs=3)


def test_a_question_with_an_unknown_column_is_refused(at_trained_shop: Store):
    with pytest.raises(TableError, match="'custmer_id' \\(did you mean 'customer_id'"):
        ask("recommend", {"custmer_id": ["c00"]})


def test_no_model_file_is_a_pickle(trained_shop: Path):
    names = [path.name for path in (trained_shop / "artifacts").rglob("*") if path.is_file()]
    assert "recommend.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]


def test_a_name_that_is_no_version_lists_those_there_are(trained_shop: Path):
    store = Store(Workspace(trained_shop))
    with pytest.raises(RegistryError, match=r"'champion'; there are: 1 \(recommend-.*\)"):
        store.find("recommend", "champion")


def test_another_tracking_server_is_used_where_the_usual_variable_names_one(
    own_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    monkeypatch.chdir(tmp_path)
    done(own_shop, "train", "recommend", "--as-of", AS_OF, *CHEAP)
    assert (tmp_path / "other.db").is_file()
    assert not (own_shop / "mlflow.db").exists()
    assert [version.number for version in Store(Workspace(own_shop)).versions("recommend")] == [1]


def test_a_tracking_server_that_cannot_be_used_is_a_clear_error(own_shop: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with pytest.raises(RegistryError, match="MLflow cannot be used at nonsense://nowhere"):
        Store(Workspace(own_shop))


def test_a_damaged_database_is_a_clear_error(own_shop: Path):
    (own_shop / "mlflow.db").write_text("no database at all")
    result = onebasket(own_shop, "models")
    assert result.exit_code == 2
    assert "file is not a database" in result.stderr
    assert "Traceback" not in result.output


def test_a_server_that_goes_away_is_a_clear_error(own_shop: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(Workspace(own_shop))

    def gone(*_: Any) -> None:
        raise MlflowException("connection refused")

    monkeypatch.setattr(store._client, "search_model_versions", gone)
    with pytest.raises(RegistryError, match=r"MLflow cannot be used at sqlite:.*connection refused"):
        store.find("recommend", "champion")


def test_a_backtest_is_logged_with_its_figures_and_pictures_and_read_the_second_time(own_shop: Path):
    arguments = [
        "backtest",
        "forecast",
        "--cutoffs",
        "1",
        "--methods",
        "moving_average,seasonal_naive",
        *CHEAP_FORECAST,
    ]
    first, second = done(own_shop, *arguments), done(own_shop, *arguments)
    assert first.stdout == second.stdout
    assert "logging the backtest" in first.stderr
    assert "backtest" not in second.stderr
    names = {path.name for path in (own_shop / "artifacts/forecast").rglob("*") if path.is_file()}
    assert {"backtest.csv", "backtest.json", "wape.png", "coverage.png", "error_by_horizon.png"} <= names


def test_a_backtest_logs_means_and_a_point_for_each_cutoff(own_shop: Path):
    days, methods = "2024-04-22,2024-05-06", "personal,popular"
    done(own_shop, "backtest", "recommend", "--cutoffs", days, "--methods", methods, *CHEAP)
    client = mlflow.MlflowClient(tracking_uri(Workspace(own_shop)))
    experiment = client.get_experiment_by_name(registered_name("recommend"))
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["cutoffs"] == days.replace(",", ", ")
    points = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "by_cutoff.hit_at_10")}
    assert list(points) == [20240422, 20240506]
    assert run.data.metrics["hit_at_10"] == pytest.approx(sum(points.values()) / 2)
