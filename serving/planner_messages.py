"""What planners ask and are answered: forecasts and order proposals."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from features.tables import FORECAST_LEVELS


def _written_as_a_day(value: Any) -> Any:
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is not a day: write YYYY-MM-DD")
    return value


DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[date, BeforeValidator(_written_as_a_day)]
Text = Annotated[str, Field(min_length=1, max_length=400)]
MOST_ROWS = 10_000
PAGE_ROWS = 1_000


class PlannerQuery(BaseModel):
    """Which rows. Unknown parameters are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    location_id: Text | None = Field(default=None, description="only this shop or warehouse")
    product_id: Text | None = Field(default=None, description="only this product")
    category: Text | None = Field(
        default=None, description="only products of this category: its name at any level, or its path 'A > B'"
    )
    format: Literal["json", "csv"] | None = Field(
        default=None, description="json or csv; without it the Accept header decides, and then json"
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        le=MOST_ROWS,
        description=f"most rows in the answer; without it {PAGE_ROWS} in JSON and all in CSV",
    )
    cursor: Annotated[str, Field(max_length=300)] | None = Field(
        default=None, description="next_cursor of the page before"
    )


class ForecastQuery(PlannerQuery):
    """Which forecasts, which days of them, and which quantiles."""

    first_day: Day | None = Field(default=None, alias="from", description="first target date, YYYY-MM-DD")
    last_day: Day | None = Field(default=None, alias="to", description="last target date, YYYY-MM-DD")
    quantiles: Annotated[str, Field(max_length=200)] = Field(
        default="0.05,0.5,0.95",
        description="levels, comma-separated, of " + ", ".join(f"{level:g}" for level in FORECAST_LEVELS),
    )

    @field_validator("quantiles")
    @classmethod
    def _known_levels(cls, value: str) -> str:
        for part in value.split(","):
            if _level(part) not in FORECAST_LEVELS:
                known = ", ".join(f"{level:g}" for level in FORECAST_LEVELS)
                raise ValueError(f"there is no quantile {part.strip()!r}: choose of {known}")
        return value

    @field_validator("last_day")
    @classmethod
    def _days_in_order(cls, last_day: date | None, read: ValidationInfo) -> date | None:
        first_day = read.data.get("first_day")
        if first_day is not None and last_day is not None and first_day > last_day:
            raise ValueError(f"{last_day} is before from, {first_day}: swap them")
        return last_day

    @property
    def levels(self) -> list[float]:
        return sorted({level for part in self.quantiles.split(",") if (level := _level(part)) is not None})


def _level(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class ProposalQuery(PlannerQuery):
    """Which order proposals."""


class ForecastRow(BaseModel):
    """Demand of one product at one location on one day."""

    location_id: str
    product_id: str
    name: str = Field(description="the product, as people call it")
    made_on: date = Field(description="the last day whose rows were read")
    target_date: date = Field(description="the day forecast")
    mean_units: float | None = Field(description="expected units")
    quantiles: dict[str, float | None] = Field(
        description="level: units that demand stays within with that probability",
        examples=[{"0.05": 1.0, "0.5": 4.0, "0.95": 9.0}],
    )


class Page(BaseModel):
    """What every page says."""

    model_version: str = Field(description="the bundle that answered")
    as_of: date = Field(description="last day whose rows the model has read")
    total_rows: int = Field(description="rows that match, on all pages")
    next_cursor: str | None = Field(description="send it as `cursor` for the next page; null on the last one")
    notes: list[str] = Field(description="what in the request the release does not know")


class ForecastPage(Page):
    """Some forecasts, sorted by location, product and day."""

    rows: list[ForecastRow]


class ProposalRow(BaseModel):
    """What to order of one product for one location, and why; columns as in the table order_proposals."""

    location_id: str
    product_id: str
    name: str = Field(description="the product, as people call it")
    made_on: date = Field(description="the day the order is placed, after closing")
    on_hand: float | None = Field(description="units in stock; null where no stock was given (then counted as 0)")
    on_order: float | None = Field(description="units under way")
    inventory_position: float | None = Field(description="on_hand + on_order")
    protection_days: int | None = Field(description="lead time + review period")
    expected_units: float | None = Field(description="expected demand over the protection period")
    protection_units: float | None = Field(description="quantile of that demand at the service level")
    safety_stock: float | None = Field(description="protection_units - expected_units")
    order_up_to_level: float | None = Field(description="units to have after ordering")
    unrounded_units: float | None = Field(description="before pack and minimum rounding")
    proposed_units: float | None = Field(description="what to order")
    arrives_on: date | None = Field(description="made_on + lead time")
    reason_codes: list[str] = Field(description="code=units, in the order applied; they add up to proposed_units")
    limiting_constraint: str | None = Field(description="the constraint that decided the quantity")


class ProposalPage(Page):
    """Some order proposals, sorted by location and product."""

    rows: list[ProposalRow]


class ModelFacts(BaseModel):
    """One released bundle that this server answers from."""

    kind: str = Field(description="recommend or forecast")
    version: str
    as_of: date = Field(description="last day whose rows it has read")
    since: str = Field(description="when it was released (UTC)")
    metrics: dict[str, object] = Field(description="headline figures of its backtest")


class ModelsAnswer(BaseModel):
    """What this server answers from."""

    models: list[ModelFacts]
    problems: list[str] = Field(description="releases that could not be opened, and kinds not released yet")


class Readiness(BaseModel):
    """The server is ready."""

    ready: bool
    problems: list[str] = Field(description="newer releases that could not be opened: the older ones answer")
