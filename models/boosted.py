"""Boosted: one LightGBM for all series, forecasting every horizon directly.

The direct approach of the M5 competition's leading entries: the horizon is a feature, nothing is recursive, and
the mean is learnt with a Tweedie loss. Boosting starts from each series' recent level, so that trees learn what
changes it, whatever its scale. Two models are fitted, each on half of the past, where the halves alternate from
month to month and differ from series to series: their mean is the forecast, and each forecasts the other's half
without having seen it, which is what the distribution is learnt from.
"""

from datetime import date, timedelta
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
    Features,
    Positions,
    Sight,
    categorical_positions,
    feature_count,
    feature_names,
    fill_rows,
    origin_features,
)
from models.calibrated import CalibratedForecaster
from models.observed import listed_then

FOLDS = 2
FOLD_DAYS = 28
LEAST_LABEL = 1e-6  # a Tweedie loss refuses to learn that nothing ever sells
ROWS_FOR_TWO_THREADS = 50_000
MIN_DAYS = 28
MAX_ROWS = 300_000  # that the two models learn from, together
MAX_ORIGINS = 26
CHUNK = 200_000
TREES = 120
ROWS_PER_TREE = 100  # fewer rows grow fewer trees: where days without a sale fill whole leaves, many make means sink
PARAMETERS: dict[str, Any] = {
    "objective": "tweedie", "tweedie_variance_power": 1.1, "learning_rate": 0.07, "num_leaves": 31,
    "feature_fraction": 0.6, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63, "lambda_l2": 1.0,
    "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip


class Boosted(CalibratedForecaster):
    """Gradient-boosted trees on lags, calendar and plans. Needs 28 days of history; better from a year on."""

    name: ClassVar[str] = "boosted"

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._models: list[lgb.Booster] = []
        self._sight: Sight | None = None

    def learn(self, panel: Panel) -> None:
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
            base = np.repeat(features.base[rows], horizon_days)
            forecasts = [self._predicted(model, matrix, base) for model in self._models]
            answer[rows] = np.mean(forecasts, axis=0).reshape(len(rows), horizon_days)
        return answer

    def origins(self, panel: Panel) -> list[tuple[date, int]]:
        """Only origins as late as those learnt from: before them, every series is younger than trees can judge."""
        if panel.days < MIN_DAYS:
            raise HistoryError(
                f"boosted needs {MIN_DAYS} days of demand and the panel up to {panel.as_of} has {panel.days}: "
                "ingest more history, or set forecaster = 'moving_average' in the recipe's [forecast]"
            )
        oldest = panel.as_of - timedelta(days=panel.days - 1 - _origin_columns(panel.days)[-1])
        origins = super().origins(panel)
        return [(origin, days) for origin, days in origins if origin >= oldest] or origins

    def past_means(self, panel: Panel, origin: date, horizon_days: int, rows: Positions) -> Float:
        """Each series by the model that did not learn from it."""
        assert self._sight is not None
        column = panel.days - 1 - (panel.as_of - origin).days
        features = origin_features(self._sight, column)
        answer = np.empty((len(rows), horizon_days), np.float32)
        fold = _folds_at(panel, column)[rows]
        for other, model in enumerate(self._models):
            chosen = rows[fold != other]
            if len(chosen):
                matrix = _forecast_rows(self._sight, features, column, chosen, horizon_days)
                base = np.repeat(features.base[chosen], horizon_days)
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
        fold, end = np.empty(count, np.uint8), 0
        for column, (series, ahead) in zip(columns, drawn, strict=True):
            part = slice(end, end + len(series))
            features = origin_features(sight, column)
            fill_rows(matrix[part], sight, features, column, series, ahead)
            units[part], base[part] = sight.filled[series, column + ahead], features.base[series]
            fold[part], end = _folds_at(panel, column)[series], part.stop
        return matrix, units, base, fold

    def _draw(self, sight: Sight, column: int, count: int, random: np.random.Generator) -> tuple[Positions, Positions]:
        """Sample (series, days ahead) at an origin among the days that show demand of series listed by then."""
        reach = min(self.settings.horizon_days, sight.panel.days - 1 - column)
        listed = listed_then(sight.panel, column, self.settings)
        series, step = np.nonzero(sight.seen[:, column + 1 : column + 1 + reach] & listed[:, None])
        count = max(1, count * reach // self.settings.horizon_days)
        if len(series) > count:
            chosen = np.sort(random.choice(len(series), count, replace=False))
            series, step = series[chosen], step[chosen]
        return series, step + 1

    def _trained(self, panel: Panel, matrix: Float, units: Float, base: Float, rows: Positions) -> lgb.Booster:
        if len(rows) == 0:
            raise HistoryError(f"no day of the panel up to {panel.as_of} can be learnt from: check available_share")
        label = units[rows] if units[rows].any() else np.full(len(rows), LEAST_LABEL)
        data = lgb.Dataset(
            matrix[rows], label=label, init_score=np.log(base[rows]), free_raw_data=True,
            feature_name=feature_names(panel), categorical_feature=categorical_positions(panel),
            params={"verbosity": -1},
        )  # fmt: skip
        own = {
            "seed": self.settings.seed,
            "num_threads": _threads(len(rows)),
            "min_data_in_leaf": int(np.clip(len(rows) // 500, 20, 100)),
        }
        return lgb.train(PARAMETERS | own, data, num_boost_round=int(np.clip(len(rows) // ROWS_PER_TREE, 5, TREES)))

    def _predicted(self, model: lgb.Booster, matrix: Float, base: Float) -> Float:
        raw = model.predict(matrix, raw_score=True, num_threads=_threads(len(matrix)))
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


def _threads(rows: int) -> int:
    """Two threads where there is work for two; waiting for each other costs more than little work saves."""
    return 2 if rows >= ROWS_FOR_TWO_THREADS else 1


def _folds_at(panel: Panel, column: int) -> npt.NDArray[np.uint8]:
    """Which model learns from each series' forecasts made at the end of day `column`: 0 or 1."""
    month = (panel.days - 1 - column) // FOLD_DAYS
    names = zip(panel.product_ids, panel.location_ids, strict=True)
    own = [crc32(f"{product}\n{location}".encode()) for product, location in names]
    return np.array([(code + month) % FOLDS for code in own], np.uint8)


def _folds(fold: npt.NDArray[np.uint8]) -> list[Positions]:
    """Rows of each half; all rows for both where one half would have too few to learn from."""
    parts = [np.flatnonzero(fold == number) for number in range(FOLDS)]
    return parts if min(map(len, parts)) > len(fold) // 10 else [np.arange(len(fold))] * FOLDS


def _forecast_rows(sight: Sight, features: Features, column: int, series: Positions, horizon_days: int) -> Float:
    matrix = np.empty((len(series) * horizon_days, feature_count(sight.panel)), np.float32)
    ahead = np.tile(np.arange(1, horizon_days + 1), len(series))
    fill_rows(matrix, sight, features, column, np.repeat(series, horizon_days), ahead)
    return matrix
