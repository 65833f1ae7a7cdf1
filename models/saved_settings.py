"""The settings that a saved recommender was trained with, beside its arrays."""

from pathlib import Path

from features.arrays import open_json, save_json
from models.settings import RecommendSettings


def save_settings(folder: Path, settings: RecommendSettings) -> None:
    save_json(folder, "settings", settings.model_dump(mode="json"))


def open_settings(folder: Path) -> RecommendSettings:
    """Reopen what `save_settings` wrote. Raises BundleError when the file is missing or damaged."""
    return RecommendSettings.model_validate(open_json(folder, "settings"))
