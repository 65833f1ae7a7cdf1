"""The command that writes reports: one page, the same figures as JSON, and the checks on the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from training.command import AsOfOption, JsonOption, RecipeOption, SetOption, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from features.quality import Check, Report

BROKEN = 1  # exit status where a check is broken


@command("no report was written")
def report(
    subject: Annotated[Literal["data"], typer.Argument(help="data: the quality of what was ingested.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where the page goes [default: <workspace>/reports].",
                     show_default=False),
    ] = None,
    as_of: AsOfOption = None,
    recipe: RecipeOption = None,
    changes: SetOption = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:  # fmt: skip
    """Write a page about the data with its plots, and hold it against the recipe's thresholds ([quality]).

    Volume, quarantine, overlaps of channels, who is who, returns, gaps, late data, outliers, sold-out days. Beside
    data-<version>.html the same figures as data-<version>.json. Ends with status 1 where a check is broken, so that
    a schedule notices. --as-of is the day that sources are expected to reach, such as today.

    onebasket report data

    onebasket report data --as-of 2017-12-31 --set quality.most_quarantined_share=0.01
    """
    from training.report_page import data_page

    found = _measured(workspace, recipe, changes, as_of)
    folder = (out or workspace_of(workspace).folder / "reports").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    text = _json(found)
    _write(folder / f"{subject}-{found.version}.json", text)
    page = _write(folder / f"{subject}-{found.version}.html", data_page(found))
    if as_json:
        print(text)
    else:
        _print(found, page)
    if found.broken:
        raise typer.Exit(BROKEN)


def _measured(
    workspace: Path | None, recipe: str | None, changes: list[str] | None, as_of: str | None
) -> "Report":  # fmt: skip
    import tempfile

    from features.engine import engine_in
    from features.quality import quality
    from training.recipe import load_recipe, stored_recipe
    from training.subject import read_day

    place = workspace_of(workspace)
    snapshot = place.snapshot()
    settings = load_recipe(recipe, changes=changes or ()) if recipe is not None \
        else stored_recipe(snapshot.facts["recipe"], changes or ())  # fmt: skip
    day = read_day(as_of) if as_of is not None else None
    with tempfile.TemporaryDirectory(prefix="onebasket-") as scratch, engine_in(Path(scratch)) as engine:
        return quality(engine, place, snapshot, settings.quality, day)


def _json(found: "Report") -> str:
    import json

    checks = [_check(check) for check in found.checks]
    content = {"version": found.version, "broken": len(found.broken), "checks": checks, "missing": found.missing,
               "figures": found.figures}  # fmt: skip
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _check(check: "Check") -> dict[str, Any]:
    return {"name": check.name, "setting": f"quality.{check.setting}", "measured": check.measured,
            "limit": check.limit, "least": check.least, "broken": check.broken, "where": check.where}  # fmt: skip


def _write(path: Path, text: str) -> Path:
    """Write a file in one step."""
    fresh = path.with_name(path.name + ".new")
    from features.errors import ExportError

    try:
        fresh.write_text(text, "utf-8")
        return fresh.replace(path)
    except OSError as fault:
        raise ExportError(f"{path} cannot be written: {fault.strerror}") from fault


def _print(found: "Report", page: Path) -> None:
    from training.printing import print_table
    from training.report_page import limit_text, measured_text

    about = found.figures["about"]
    rows = [[check.name, _verdict(check), measured_text(check) or "-", limit_text(check), check.where,
             f"quality.{check.setting}"] for check in found.checks]  # fmt: skip
    print_table(f"data of {about['retailer']}, {about['first_day']} to {about['last_day']}",
                ["check", "", "measured", "limit", "where", "setting"], rows)  # fmt: skip
    for why in found.missing.values():
        print(f"not measured: {why}")
    print(page)


def _verdict(check: "Check") -> str:
    if check.measured is None:
        return "not measured"
    return "BROKEN" if check.broken else "ok"
