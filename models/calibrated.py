"""Forecasters that predict means, and learn the distribution around them from their own past."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import ref

import numpy as np
import numpy.typing as npt

from features.demand import Panel
from features.errors import BundleError, HistoryError
from features.history import Float
from features.tables import FORECAST_LEVELS
from models.contracts import Forecast, Forecaster
from models.distribution import Distribution, Past, actual_after, own_spread, past_origins
from models.observed import listed_then
from models.settings import ForecastSettings

CONTENT = "forecaster.json"
CALIBRATION_ROWS = 200_000  # per past origin

Rows = npt.NDArray[np.intp]


class CalibratedForecaster(Forecaster):
    """Turns `means` into a Forecaster: quantiles come from level sets over past origins."""

    calibration_origins: ClassVar[int] = 6
    calibration_step_days: ClassVar[int] = 14

    def __init__(self, settings: ForecastSettings | None = None) -> None:
        self.settings = settings or ForecastSettings()
        self._distribution: Distribution | None = None
        # The last means: sums over several periods are asked of the same panel right after its forecast.
        self._latest: tuple[ref[Panel], Float] | None = None

    @abstractmethod
    def means(self, panel: Panel, horizon_days: int) -> Float:
        """Expected units, float32 [series, horizon], at least 0; closed days are zeroed by the caller."""

    def learn(self, panel: Panel) -> None:
        """Learn what `means` needs; nothing by default."""

    def learnt(self) -> dict[str, Any]:
        """What `learn` found, for JSON."""
        return {}

    def relearn(self, learnt: dict[str, Any], folder: Path) -> None:
        """Take back what `learnt` gave, and files that `save` wrote into `folder`."""

    def origins(self, panel: Panel) -> list[tuple[date, int]]:
        """Past origins that the distribution is learnt at, and on how many days each is judged."""
        return past_origins(panel, self.settings.horizon_days, self.calibration_origins, self.calibration_step_days)

    def past_means(self, panel: Panel, origin: date, horizon_days: int, rows: Rows) -> Float:
        """Means as they would have been forecast at a past origin, for the series at positions `rows`."""
        return self.means(panel.only(rows).until(origin), horizon_days)

    def fit(self, panel: Panel) -> Self:
        origins = self.origins(panel)
        self._latest = None
        self.learn(panel)
        self._distribution = Distribution.fit(self._past(panel, origin, days) for origin, days in origins)
        return self

    def _past(self, panel: Panel, origin: date, days: int) -> Past:
        column = panel.days - 1 - (panel.as_of - origin).days
        listed = np.flatnonzero(listed_then(panel, column, self.settings))
        rows = listed[:: max(1, -(-len(listed) * days // CALIBRATION_ROWS))]
        chosen = panel.only(rows)
        mean = self.past_means(panel, origin, days, rows)
        return Past(mean, actual_after(chosen, origin, days), own_spread(chosen.until(origin)))

    def forecast(self, panel: Panel, horizon_days: int) -> Forecast:
        mean = self._open_means(panel, horizon_days).copy()
        quantiles = self._fitted.of_days(mean, own_spread(panel), FORECAST_LEVELS)
        quantiles[~self._open(panel, horizon_days)] = 0
        return Forecast(panel.as_of, list(panel.product_ids), list(panel.location_ids), mean, quantiles)

    def sums(self, panel: Panel, days: int, levels: Sequence[float]) -> Float:
        mean = self._open_means(panel, days).sum(axis=1, dtype=np.float64).astype(np.float32)
        return self._fitted.of_sums(mean, own_spread(panel), days, levels)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        content = {"name": self.name, "settings": self.settings.model_dump(), "learnt": self.learnt(),
                   "distribution": self._fitted.content()}  # fmt: skip
        (folder / CONTENT).write_text(json.dumps(content), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> Self:
        try:
            content = json.loads((folder / CONTENT).read_text("utf-8"))
            if content["name"] != cls.name:
                raise BundleError(f"{folder} holds the forecaster {content['name']!r}, not {cls.name!r}")
            forecaster = cls(ForecastSettings(**content["settings"]))
            forecaster._distribution = Distribution.restored(content["distribution"])
            forecaster.relearn(content["learnt"], folder)
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise BundleError(f"{folder}: {CONTENT} is missing or damaged ({fault}): train again") from fault
        return forecaster

    @property
    def _fitted(self) -> Distribution:
        if self._distribution is None:
            raise HistoryError(f"{self.name} has learnt nothing yet: call fit first")
        return self._distribution

    def _open_means(self, panel: Panel, horizon_days: int) -> Float:
        if self._latest is None or self._latest[0]() is not panel or self._latest[1].shape[1] < horizon_days:
            mean = self.means(panel, horizon_days)
            mean[~self._open(panel, horizon_days)] = 0
            self._latest = (ref(panel), mean)
        return self._latest[1][:, :horizon_days]

    @staticmethod
    def _open(panel: Panel, horizon_days: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        return panel.is_open(panel.target_dates(1)[0], horizon_days)
