"""A recipe: one TOML that says everything about a retailer, its exports and its models' settings."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from features.errors import RecipeError, did_you_mean
from features.sources import Intake, Settings, describe

SHIPPED = Path(__file__).parent / "recipes"


class RecommendSettings(Settings):
    """How recommenders are trained and judged."""

    recommender: str = Field(default="ranker", description="the roster's name of the recommender that is released")
    target_days: int = Field(default=7, ge=1, le=60, description="days after as_of whose purchases are predicted")
    half_life_days: float = Field(default=60, gt=0, description="age at which a purchase counts half")
    popular_days: int = Field(default=28, ge=1, description="window of what is popular, days")
    label_windows: int = Field(default=3, ge=1, le=26, description="past target windows that the ranker learns from")
    candidates: int = Field(default=300, ge=20, le=2000, description="products per customer that are ranked")
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


class BacktestSettings(Settings):
    """Where backtests cut the history when --cutoffs does not say it."""

    cutoffs: int = Field(default=3, ge=1, le=52, description="how many target windows, counted back from the end")


class Recipe(Intake):
    """The whole recipe."""

    recommend: RecommendSettings = RecommendSettings()
    forecast: ForecastSettings = ForecastSettings()
    replenishment: ReplenishmentSettings = ReplenishmentSettings()
    backtest: BacktestSettings = BacktestSettings()


Kind = Literal["recommend", "forecast"]
KINDS: tuple[Kind, ...] = ("recommend", "forecast")


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with OneBasket."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find_recipe(name: str) -> Path:
    """Return the file of a recipe given by path or by the name of a shipped one; RecipeError if there is none."""
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        if not path.is_file():
            raise RecipeError(f"there is no recipe {name!r}: give the path of a .toml, or one of {shipped_recipes()}")
        return path
    shipped = SHIPPED / f"{name.replace('-', '_')}.toml"
    if not shipped.is_file():
        hint = did_you_mean(name, shipped_recipes())
        raise RecipeError(f"there is no recipe {name!r}{hint}: give the path of a .toml, or one of {shipped_recipes()}")
    return shipped


def load_recipe(name: str, data: Path | None = None, changes: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    `data` is the folder that relative paths start from (default: the recipe's own folder). `changes` are
    `section.key=value` settings laid over the file. Raises RecipeError naming every fault with its place.
    """
    path = find_recipe(name)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise RecipeError(f"{path}: not valid TOML: {fault}") from fault
    for change in changes:
        _lay_over(content, change)
    content["folder"] = (data or path.parent).resolve()
    try:
        return Recipe.model_validate(content)
    except ValidationError as faults:
        lines = "\n  ".join(describe(dict(fault), tuple(_keys(Recipe))) for fault in faults.errors())
        raise RecipeError(f"{path}:\n  {lines}") from faults


def _lay_over(content: dict[str, Any], change: str) -> None:
    key, separator, value = change.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise RecipeError(f"cannot read the setting {change!r}: write section.key=value")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    table = content
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise RecipeError(f"cannot set {key.strip()!r}: {part!r} is not a section")
    table[parts[-1]] = parsed


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """Every key that may stand anywhere in a recipe."""
    for name, info in model.model_fields.items():
        yield name
        for inner in _models_in(info.annotation):
            yield from _keys(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)
