"""What the readers of databases share: the connection string from the environment, and the relation's name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from features.channels.export import Wanted
from features.errors import OneBasketError, RecipeError, SourceError

ENVIRONMENT = "env:"


def connection_string(name: str, path: str) -> str:
    """The value of the environment variable that a path such as env:SHOP_DB names."""
    variable = path.removeprefix(ENVIRONMENT)
    value = os.environ.get(variable, "")
    if not path.startswith(ENVIRONMENT) or not value:
        what = f"the environment variable {variable} is not set" if path.startswith(ENVIRONMENT) else f"path {path!r}"
        raise RecipeError(
            f"sources.{name}: {what}: a database's path is env:NAME, and NAME holds its connection string, "
            "such as postgresql://reader:password@host/shop"
        )
    return value


def relation_of(wanted: Wanted, quote: str) -> str:
    """The quoted name of the table or view, with its schema if the recipe gives one."""
    if not wanted.source.relation:
        raise RecipeError(
            f'sources.{wanted.name}: relation is missing: name the table or view to read, such as "public.order_lines"'
        )
    parts = wanted.source.relation.split(".")
    return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)


@contextmanager
def without_secrets(wanted: Wanted, connection: str, *faults: type[Exception]) -> Iterator[None]:
    """Turn a driver's error into a SourceError whose words hold neither the connection string nor its password."""
    try:
        yield
    except OneBasketError:
        raise
    except faults as fault:
        text = " ".join(str(fault).split())
        for secret in _secrets(connection):
            text = text.replace(secret, "…")
        raise SourceError(
            f"sources.{wanted.name}: cannot read {wanted.place}: {text}: check the connection string, the relation "
            "and the rights of its user"
        ) from None  # the driver's own error may name the password


def _secrets(connection: str) -> list[str]:
    try:
        password = urlsplit(connection).password or ""
    except ValueError:
        password = ""
    words = [word.partition("=")[2].strip("'\"") for word in connection.split() if word.startswith("password=")]
    return sorted({connection, password, unquote(password), *words} - {""}, key=len, reverse=True)
