"""The settings of every model, as the sections of a recipe hold them."""

from pydantic import Field

from features.sources import Settings


class RecommendSettings(Settings):
    """How recommenders are trained and judged."""

    recommender: str = Field(default="ranker", description="the roster's name of the recommender that is released")
    target_days: int = Field(default=7, ge=1, le=60, description="days after as_of whose purchases are predicted")
    half_life_days: float = Field(default=60, gt=0, description="age at which a purchase counts half")
    popular_days: int = Field(default=28, ge=1, description="window of what is popular, days")
    label_windows: int = Field(default=6, ge=1, le=26, description="past target windows that the ranker learns from")
    candidates: int = Field(default=400, ge=20, le=2000, description="products per customer that are ranked")
    explore_share: float = Field(
        default=0, ge=0, le=1, description="least share of a for-you list that the customer never bought"
    )
    most_per_category: int = Field(
        default=0, ge=0, description="products of a narrowest category in a for-you list, at most; 0 is as many as come"
    )
    seed: int = Field(default=7, description="of everything random")


class ForecastSettings(Settings):
    """How forecasters are trained and judged."""

    forecaster: str = Field(default="boosted", description="the roster's name of the forecaster that is released")
    horizon_days: int = Field(default=28, ge=1, le=180, description="days ahead")
    history_days: int = Field(default=730, ge=28, description="days of demand read, at most")
    min_sale_days: int = Field(default=4, ge=1, description="a series with fewer days with a sale gets no forecast")
    active_days: int = Field(default=91, ge=7, description="a series without a sale for so long gets no forecast")
    seed: int = Field(default=7, description="of everything random")


class ReplenishmentSettings(Settings):
    """Terms of supply where the supply_terms source says nothing."""

    lead_time_days: int = Field(default=2, ge=0, le=180, description="days from order to arrival")
    review_period_days: int = Field(default=7, ge=1, le=60, description="days between two orders")
    service_level: float = Field(default=0.95, ge=0.5, le=0.999, description="share of cycles without a stock-out")
    pack_size: float = Field(default=1, gt=0, description="order quantities are multiples of this many units")
    moq: float = Field(default=0, ge=0, description="minimum order quantity, units")
    presentation_stock: float = Field(default=0, ge=0, description="units that must always stand on the shelf")
