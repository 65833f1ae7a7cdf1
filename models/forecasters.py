"""The roster of forecasters."""

from features.errors import RecipeError, did_you_mean
from models.boosted import Boosted
from models.contracts import Forecaster
from models.moving_average import MovingAverage
from models.seasonal_naive import SeasonalNaive
from models.settings import ForecastSettings
from models.tsb import Tsb

FORECASTERS: dict[str, type[Forecaster]] = {kind.name: kind for kind in (MovingAverage, SeasonalNaive, Tsb, Boosted)}


def make_forecaster(name: str, settings: ForecastSettings) -> Forecaster:
    """The named forecaster, not yet fitted; RecipeError if the roster has none of that name."""
    if name not in FORECASTERS:
        hint = did_you_mean(name, FORECASTERS)
        raise RecipeError(f"there is no forecaster {name!r}{hint}: use one of {', '.join(FORECASTERS)}")
    return FORECASTERS[name](settings)  # type: ignore[call-arg]  # every roster entry takes the settings
