"""The command that drafts and checks recipes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from training.command import JsonOption, WorkspaceOption, command

if TYPE_CHECKING:
    from training.recipe_check import Checked


@command("nothing was written")
def recipe(
    action: Annotated[Literal["new", "check"], typer.Argument(help="new: draft one from exports; check: judge one.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILES]...", help="More exports, for new.",
                                                      show_default=False)] = None,
    files: Annotated[list[Path] | None, typer.Option("--from", metavar="FILES", show_default=False,
                                                     help="new: the exports to look at.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", show_default=False,
                                             help="new: the recipe to write [default: print it].")] = None,
    name: Annotated[str | None, typer.Option("--recipe", metavar="NAME|FILE", show_default=False,
                                             help="check: a shipped recipe or a .toml.")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="FOLDER", show_default=False,
                                              help="check: where the recipe's relative paths start "
                                              "[default: the recipe's own folder].")] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,  # accepted everywhere, needed elsewhere
) -> None:  # fmt: skip
    """Draft a recipe from exports, or check one against them.

    `new` looks at files (CSV in any encoding, parquet, JSON lines, Excel), guesses what each of them and of
    their columns holds, and writes a recipe with comments that say what was seen and what to check. `check` reads a
    sample of every export as an ingest would: what would go to the quarantine and why, which values, units
    and currencies it does not know, what is odd, and what a missing source or column would improve. It exits
    with 2 when an ingest would fail or lose most rows of a source.

        onebasket recipe new --from exports/*.csv --out my-shop.toml

        onebasket recipe check --recipe my-shop.toml
    """
    from features.errors import RecipeError

    if action == "new":
        _new([*(files or []), *(more or [])], out)
        return
    if name is None:
        raise RecipeError("which recipe? onebasket recipe check --recipe my-shop.toml")
    _check(name, data, as_json)


def _new(files: list[Path], out: Path | None) -> None:
    from features.errors import ExportError, RecipeError
    from training.recipe_draft import drafted

    if not files:
        raise RecipeError("from which exports? onebasket recipe new --from exports/*.csv")
    if out is not None and (out.exists() or out.suffix != ".toml" or not out.parent.is_dir()):
        raise ExportError(f"{out}: name a new file that ends in .toml, in a folder that exists")
    text = drafted(files, out.parent if out is not None else Path())
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as fault:
        raise ExportError(f"{out} cannot be written: {fault.strerror}") from fault
    print(f"{out} written: read its comments, then onebasket recipe check --recipe {out}")


def _check(name: str, data: Path | None, as_json: bool) -> None:
    from training.recipe import load_recipe
    from training.recipe_check import check_recipe

    found = check_recipe(load_recipe(name, data))
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
    else:
        _print(found)
    if not found.sound:
        raise typer.Exit(2)


def _print(found: "Checked") -> None:
    from training.printing import print_table
    from training.recipe_check import findings_in_order

    rows = [[name, f"{source['rows']:,}", f"{source['refused_share']:.1%}", source.get("first_day", ""),
             source.get("last_day", "")] for name, source in found.sources.items()]  # fmt: skip
    print_table("a sample of every source", ["source", "rows", "refused", "first day", "last day"], rows)
    for finding in findings_in_order(found):
        print(f"{finding.level}: {finding.place}: {finding.text}")
    print("an ingest would go through" if found.sound else "an ingest would fail or lose most rows of a source")
