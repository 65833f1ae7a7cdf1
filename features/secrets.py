"""Keyed hashes of personal data. (Stands in until the identity side brings its own with the same functions.)"""

import os
from typing import Any

from features.errors import SettingsError
from features.expressions import literal

KEY_VARIABLE = "ONEBASKET_IDENTITY_KEY"


def has_key() -> bool:
    """Whether the environment holds a key."""
    return bool(os.environ.get(KEY_VARIABLE))


def unlock(engine: Any) -> None:
    """Give the engine the key; SettingsError where there is none."""
    if not has_key():
        raise SettingsError(f"personal data needs a key: set {KEY_VARIABLE} to a long secret, and keep it")
    engine.run(f"SET VARIABLE onebasket_identity_key = {literal(os.environ[KEY_VARIABLE])}")


def hashed(value_sql: str, kind_sql: str) -> str:
    """SQL of the keyed hash of a text value of a kind; null stays null."""
    return f"sha256(getvariable('onebasket_identity_key') || ({kind_sql}) || ':' || lower(trim({value_sql})))"
