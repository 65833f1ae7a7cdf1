"""Writes docs/settings.md and docs/commands.md from the code itself (`python -m training.reference`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from training.recipe import Recipe

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS_HEAD = """# Every command

Written from the code by `python -m training.reference`. `onebasket COMMAND --help` says the same.

Exit status: 0 done; 1 an answer was not as it should be, or an unforeseen fault; 2 the request or the data is at
fault, said in one message; 130 stopped by Ctrl-C.
"""
HEAD = """# Every setting of a recipe

Written from the code by `python -m training.reference`. How a recipe is made: [recipes](recipes.md).
Any setting can be laid over a recipe for one command: `--set forecast.horizon_days=14`.
"""
SET_BY_LOADER = {"folder"}


def settings_page() -> str:
    """The whole page as Markdown: a section per group, a row per setting."""
    return "\n".join([HEAD, *_sections(Recipe, "")]) + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[str]:
    plain = {name: field for name, field in model.model_fields.items()
             if name not in SET_BY_LOADER and _group(field) is None}  # fmt: skip
    if plain:
        yield f"## {_title(path)}\n"
        yield (model.__doc__ or "").strip().splitlines()[0] + "\n"
        yield "| setting | kind | default | meaning |\n| --- | --- | --- | --- |"
        yield from (_row(name, field) for name, field in plain.items())
        yield ""
    for name, field in model.model_fields.items():
        group = _group(field)
        if group is not None:
            yield from _sections(group[0], f"{path}{name}{group[1]}.")


def _title(path: str) -> str:
    return f"[{path.rstrip('.')}]" if path else "The top of the file"


def _row(name: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name}` | {_kind(field.annotation)}{_bounds(field)} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return "none" if field.default in (None, "", ()) else f"`{field.default}`"


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [f"{sign} {getattr(rule, key)}" for rule in field.metadata for key, sign in signs.items()
              if hasattr(rule, key)]  # fmt: skip
    return f" {', '.join(bounds)}" if bounds else ""


def _kind(annotation: Any) -> str:
    named = {str: "text", int: "number", float: "number", bool: "true or false"}
    if annotation in named:
        return named[annotation]
    inner = [_kind(part) if isinstance(part, type) else str(part) for part in get_args(annotation)
             if part is not type(None)]  # fmt: skip
    return "table of text" if get_origin(annotation) is dict else " or ".join(inner)


def _group(field: FieldInfo) -> tuple[type[BaseModel], str] | None:
    """The settings group a field holds, and what its place in the path looks like: '', '.NAME' or '[]'."""
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return field.annotation, ""
    for part in get_args(field.annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, ".NAME" if get_origin(field.annotation) is dict else "[]"
    return None


def commands_page() -> str:
    """The help of every command as Markdown."""
    import typer
    from typer.testing import CliRunner

    from training.cli import app

    runner = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a Typer app with commands is a group
    helps = [f"## {name}\n\n```text\n{runner.invoke(app, [name, '--help']).output.strip()}\n```\n" for name in names]
    return "\n".join([COMMANDS_HEAD, *helps])


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page(), "utf-8")
    (DOCS / "commands.md").write_text(commands_page(), "utf-8")
