"""Which files a recipe's path names."""

import importlib.util
from collections.abc import Collection
from glob import glob
from pathlib import Path

from features.channels.databases import ENVIRONMENT, connection_string
from features.channels.export import Format
from features.errors import NoExport, RecipeError, SourceError

SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}
ENDINGS = {
    "pq": "parquet", "txt": "csv", "tsv": "csv", "ndjson": "jsonl", "json": "jsonl", "xlsx": "excel", "xlsm": "excel",
    "xls": "excel", "xlsb": "excel", "ods": "excel", "sqlite3": "sqlite", "db": "sqlite",
}  # fmt: skip
PACKAGE = "package:"


def files_of(path: str, folder: Path, source: str) -> list[Path]:
    """Return the files of a path or glob, sorted by name; SourceError if there is none.

    A database on a server is one file, called as its path in the recipe.
    """
    if path.startswith(ENVIRONMENT):
        return [Path(path)]
    pattern = str(_in_package(path, source)) if path.startswith(PACKAGE) else str(folder / path)
    found = (
        [Path(pattern)] if Path(pattern).is_file() else [Path(name) for name in sorted(glob(pattern, recursive=True))]
    )
    files = [file for file in found if file.is_file()]
    if not files:
        raise NoExport(
            f"sources.{source}: there is no file {pattern}: correct its path in the recipe, or give --data FOLDER"
        )
    return files


def _in_package(path: str, source: str) -> Path:
    name, _, inner = path.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None:
        raise SourceError(
            f"sources.{source}: the Python package {name!r} of {path!r} is not installed: "
            f"pip install {name.replace('_', '-')}"
        )
    return Path(spec.origin).parent / inner


def format_of(source: Format, files: list[Path], known: Collection[str]) -> str:
    """Return the kind of export: as the recipe says, or by the first file's ending."""
    if source.format != "auto":
        return source.format
    if str(files[0]).startswith(ENVIRONMENT):
        return SCHEMES.get(connection_string("…", str(files[0])).partition(":")[0], "ibis")
    endings = [ending.removeprefix(".").lower() for ending in files[0].suffixes]
    kind = next((ending for ending in reversed(endings) if ending != "gz"), "")
    kind = ENDINGS.get(kind, kind)
    if kind not in known:
        raise RecipeError(
            f"{files[0]}: no kind of export ends so: set format in the recipe, one of {', '.join(sorted(known))}"
        )
    return kind
