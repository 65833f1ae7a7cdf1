"""A recipe: one TOML that says everything about a retailer, its exports and its models' settings."""

import tomllib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from features.errors import RecipeError, did_you_mean
from features.sources import Intake, Settings, describe
from models.settings import ForecastSettings, RecommendSettings, ReplenishmentSettings

SHIPPED = Path(__file__).parent / "recipes"


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
            raise RecipeError(
                f"there is no recipe {name!r}: give the path of a .toml, or one of {', '.join(shipped_recipes())}"
            )
        return path
    shipped = SHIPPED / f"{name.replace('-', '_')}.toml"
    if not shipped.is_file():
        hint = did_you_mean(name, shipped_recipes())
        raise RecipeError(
            f"there is no recipe {name!r}{hint}: give the path of a .toml, or one of {', '.join(shipped_recipes())}"
        )
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
    content["folder"] = (data or path.parent).resolve()
    return _checked(content, changes, str(path))


def stored_recipe(content: dict[str, Any], changes: Iterable[str] = ()) -> Recipe:
    """Check a recipe that an ingest stored with its snapshot, `section.key=value` settings laid over it."""
    return _checked(deepcopy(content), changes, "the ingested recipe")


def _checked(content: dict[str, Any], changes: Iterable[str], origin: str) -> Recipe:
    for change in changes:
        _lay_over(content, change)
    try:
        return Recipe.model_validate(content)
    except ValidationError as faults:
        lines = "\n  ".join(describe(dict(fault), tuple(_keys(Recipe))) for fault in faults.errors())
        raise RecipeError(f"{origin}:\n  {lines}") from faults


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
