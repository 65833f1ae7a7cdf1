"""Boosted: one LightGBM for all series, forecasting every horizon directly.

The direct approach of the M5 competition's leading entries: the horizon is a feature, nothing is recursive, and
the mean is learnt with a Tweedie loss. Boosting starts from each series' recent level, so that trees learn what
changes it, whatever its scale. Two models are fitted, each on half of the series: their mean is the forecast, and
each forecasts the other half's past without having seen it, which is what the distribution is learnt from.
"""

from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Self
from zlib import crc32

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.demand import Panel
from features.errors import BundleError, HistoryError
from features.history import Float
from models.boosted_features import (
    Positions,
    Sight,
    base_units,
    categorical_positions,
    feature_count,
    fill_rows,
    origin_features,
)
from models.calibrated import CalibratedForecaster

FOLDS = 2
MIN_DAYS = 28
MAX_ROWS = 400_000  # that the two models learn from, together
MAX_ORIGINS = 26
CHUNK = 200_000
TREES = 120
PARAMETERS: dict[str, Any] = {
    "objective": "tweedie", "tweedie_variance_power": 1.1, "learning_rate": 0.07, "num_leaves": 63,
    "feature_fraction": 0.6, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "lambda_l2": 1.0,
    "num_threads": 2, "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip


class Boosted(CalibratedForecaster):
    """Gradient-boosted trees on lags, calendar and plans. Needs 28 days of history; better from a year on."""

    name: ClassVar[str] = "boosted"

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._models: list[lgb.Booster] = []
        self._sight: Sight | None = None

    def learn(self, panel: Panel) -> None:
        if panel.days < MIN_DAYS:
            raise HistoryError(
                f"boosted needs {MIN_DAYS} days of demand and the panel up to {panel.as_of} has {panel.days}: "
                "ingest more history, or set forecaster = 'moving_average' in the recipe's [forecast]"
            )
        self._sight = Sight.of(panel)
        matrix, units, base, fold = self._training_rows(self._sight)
        self._models = [self._trained(panel, matrix, units, base, rows) for rows in _folds(fold)]

    def means(self, panel: Panel, horizon_days: int) -> Float:
        self._check(panel)
        sight = Sight.of(panel)
        answer = np.empty((len(panel), horizon_days), np.float32)
        features = origin_features(sight, panel.days - 1)
        per_chunk = max(1, CHUNK // horizon_days)
        for start in range(0, len(panel), per_chunk):
            rows = np.arange(start, min(start + per_chunk, len(panel)))
            matrix = _forecast_rows(sight, features, panel.days - 1, rows, horizon_days)
            base = np.repeat(base_units(features.origin)[rows], horizon_days)
            forecasts = [self._predicted(model, matrix, base) for model in self._models]
            answer[rows] = np.mean(forecasts, axis=0).reshape(len(rows), horizon_days)
        return answer

    def past_means(self, panel: Panel, origin: date, horizon_days: int, rows: Positions) -> Float:
        """Each series by the model that did not learn from it."""
        assert self._sight is not None
        column = panel.days - 1 - (panel.as_of - origin).days
        features = origin_features(self._sight, column)
        answer = np.empty((len(rows), horizon_days), np.float32)
        fold = _fold_of(panel)[rows]
        for other, model in enumerate(self._models):
            chosen = rows[fold != other]
            if len(chosen):
                matrix = _forecast_rows(self._sight, features, column, chosen, horizon_days)
                base = np.repeat(base_units(features.origin)[chosen], horizon_days)
                answer[fold != other] = self._predicted(model, matrix, base).reshape(len(chosen), horizon_days)
        return answer

    def fit(self, panel: Panel) -> Self:
        super().fit(panel)
        self._sight = None  # as large as the panel, and needed only while fitting
        return self

    def save(self, folder: Path) -> None:
        super().save(folder)
        for fold, model in enumerate(self._models):
            (folder / f"trees{fold}.txt").write_text(model.model_to_string(), "utf-8")

    def relearn(self, learnt: dict[str, Any], folder: Path) -> None:
        try:
            texts = [(folder / f"trees{fold}.txt").read_text("utf-8") for fold in range(FOLDS)]
            self._models = [lgb.Booster(model_str=text) for text in texts]
        except lgb.basic.LightGBMError as fault:
            raise BundleError(f"{folder}: a LightGBM model is damaged ({fault}): train again") from fault

    def _training_rows(self, sight: Sight) -> tuple[Float, Float, Float, npt.NDArray[np.uint8]]:
        """Features, units, base level and fold of rows sampled over past origins."""
        panel, random = sight.panel, np.random.default_rng(self.settings.seed)
        columns = _origin_columns(panel.days)
        drawn = [self._draw(sight, column, MAX_ROWS // len(columns), random) for column in columns]
        count = sum(len(series) for series, _ in drawn)
        matrix = np.empty((count, feature_count(panel)), np.float32)
        units, base = np.empty(count, np.float32), np.empty(count, np.float32)
        fold, folds, end = np.empty(count, np.uint8), _fold_of(panel), 0
        for column, (series, ahead) in zip(columns, drawn, strict=True):
            part = slice(end, end + len(series))
            features = origin_features(sight, column)
            fill_rows(matrix[part], sight, features, column, series, ahead)
            units[part], base[part] = sight.filled[series, column + ahead], base_units(features.origin)[series]
            fold[part], end = folds[series], part.stop
        return matrix, units, base, fold

    def _draw(self, sight: Sight, column: int, count: int, random: np.random.Generator) -> tuple[Positions, Positions]:
        """Sample (series, days ahead) at an origin among the days that show demand of series launched by then."""
        reach = min(self.settings.horizon_days, sight.panel.days - 1 - column)
        launched = ~np.isnan(sight.panel.units[:, column])
        series, step = np.nonzero(sight.seen[:, column + 1 : column + 1 + reach] & launched[:, None])
        count = max(1, count * reach // self.settings.horizon_days)
        if len(series) > count:
            chosen = np.sort(random.choice(len(series), count, replace=False))
            series, step = series[chosen], step[chosen]
        return series, step + 1

    def _trained(self, panel: Panel, matrix: Float, units: Float, base: Float, rows: Positions) -> lgb.Booster:
        if len(rows) == 0:
            raise HistoryError(f"no day of the panel up to {panel.as_of} can be learnt from: check available_share")
        data = lgb.Dataset(
            matrix[rows], label=units[rows], init_score=np.log(base[rows]), free_raw_data=True,
            categorical_feature=categorical_positions(panel), params={"verbosity": -1},
        )  # fmt: skip
        own = {"seed": self.settings.seed, "min_data_in_leaf": int(np.clip(len(rows) // 500, 5, 100))}
        return lgb.train(PARAMETERS | own, data, num_boost_round=TREES)

    def _predicted(self, model: lgb.Booster, matrix: Float, base: Float) -> Float:
        raw = model.predict(matrix, raw_score=True, num_threads=PARAMETERS["num_threads"])
        return np.asarray(np.exp(np.asarray(raw)) * base, np.float32)

    def _check(self, panel: Panel) -> None:
        if not self._models:
            raise HistoryError(f"{self.name} has learnt nothing yet: call fit first")
        learnt, given = self._models[0].num_feature(), feature_count(panel)
        if learnt != given:
            raise HistoryError(
                f"the panel gives {given} features and the model learnt from {learnt}: "
                "prices, plans or categories came or went; train again"
            )


def _origin_columns(days: int) -> list[int]:
    """Past origins at even steps of whole weeks over the history, newest first, so that every season has its say."""
    newest, oldest = days - 1 - 7, min(56, days // 2)
    weeks_apart = max(1, -(-(newest - oldest) // (7 * MAX_ORIGINS)))
    return list(range(newest, oldest - 1, -7 * weeks_apart))


def _fold_of(panel: Panel) -> npt.NDArray[np.uint8]:
    """Which half each series belongs to, by its ids alone."""
    names = zip(panel.product_ids, panel.location_ids, strict=True)
    return np.array([crc32(f"{product}\n{location}".encode()) % FOLDS for product, location in names], np.uint8)


def _folds(fold: npt.NDArray[np.uint8]) -> list[Positions]:
    """Rows of each half; all rows for both where one half would have too few to learn from."""
    parts = [np.flatnonzero(fold == number) for number in range(FOLDS)]
    if min(len(part) for part in parts) < len(fold) // 10:
        return [np.arange(len(fold))] * FOLDS
    return parts


def _forecast_rows(sight: Sight, features: Any, column: int, series: Positions, horizon_days: int) -> Float:
    matrix = np.empty((len(series) * horizon_days, feature_count(sight.panel)), np.float32)
    ahead = np.tile(np.arange(1, horizon_days + 1), len(series))
    fill_rows(matrix, sight, features, column, np.repeat(series, horizon_days), ahead)
    return matrix
