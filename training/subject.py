"""What a command works on: a kind of model, a recipe, a snapshot and a day; and the version that follows."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from features.errors import HistoryError, RecipeError
from features.fingerprint import fingerprint
from features.workspace import Snapshot, Workspace
from training.code_version import code_identity
from training.recipe import Kind, Recipe, load_recipe, stored_recipe

DAYS_PAST_THE_END = 31


@dataclass(frozen=True)
class Subject:
    """Everything that decides a model. Equal subjects have equal versions, and so equal bundles."""

    kind: Kind
    recipe: Recipe
    snapshot: Snapshot
    as_of: date

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every row that a model as of that day may read."""
        return fingerprint(self.snapshot, self.as_of)

    @property
    def settings(self) -> dict[str, Any]:
        """The sections of the recipe that decide the model."""
        sections = ("recommend",) if self.kind == "recommend" else ("forecast", "replenishment")
        return {name: getattr(self.recipe, name).model_dump(mode="json") for name in sections}

    @cached_property
    def version(self) -> str:
        """<kind>-<as_of>-<8 hex>; no clock in it, so the same rows and settings give the same name."""
        content = json.dumps([self.settings, self.fingerprint, code_identity()], sort_keys=True)
        return f"{self.kind}-{self.as_of}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def facts(self) -> dict[str, Any]:
        """What a bundle says of how it came about; the same bytes for the same subject."""
        return {
            "retailer": self.recipe.retailer.model_dump(mode="json"),
            "settings": self.settings,
            "fingerprint": self.fingerprint,
            "code": code_identity(),
        }

    def on(self, as_of: date) -> "Subject":
        return replace(self, as_of=as_of)


def subject(
    kind: Kind, workspace: Workspace, recipe_name: str | None, as_of: str | None, changes: Iterable[str] = ()
) -> Subject:
    """Open the workspace and check recipe and day against it.

    Raises NotIngested, RecipeError where the recipe is another retailer's, HistoryError where the day lies
    outside the history.
    """
    snapshot = workspace.snapshot()
    recipe = load_recipe(recipe_name, changes=changes) if recipe_name is not None \
        else stored_recipe(snapshot.facts["recipe"], changes)  # fmt: skip
    held = snapshot.facts["recipe"]["retailer"]["name"]
    if recipe.retailer.name != held:
        raise RecipeError(
            f"{workspace.folder} holds the history of {held!r}, the recipe is of {recipe.retailer.name!r}: "
            f"ingest that recipe first, or name another --workspace"
        )
    return Subject(kind, recipe, snapshot, day_within(snapshot, as_of))


def day_within(snapshot: Snapshot, text: str | None) -> date:
    """The day that a text names, the last of the history where there is none.

    A day shortly after the last purchase is allowed, since shops close; HistoryError for any other outside.
    """
    if text is None:
        return snapshot.last_day
    day = read_day(text)
    if not snapshot.first_day <= day <= snapshot.last_day + timedelta(days=DAYS_PAST_THE_END):
        raise HistoryError(
            f"{day} is outside the history, which runs from {snapshot.first_day} to {snapshot.last_day}: "
            "name a day within it, or ingest newer exports"
        )
    return day


def read_day(text: str) -> date:
    """Read YYYY-MM-DD; HistoryError says what was read instead."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as fault:
        raise HistoryError(f"{text!r} is not a day: write it as 2017-12-10") from fault
