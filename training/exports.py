"""Answers as files, computed only from rows up to the end of a day."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.errors import ExportError, did_you_mean
from features.progress import Progress, silent
from features.workspace import Workspace
from models.bundle import Bundle
from models.buy_again import BuyAgain
from models.reasons import LANGUAGES, Language, language_of
from models.reminders import ReminderTerms, reminder_table
from models.reminders import reminders as due
from models.surfaces import SURFACES, Surface, Surfaces, recommendation_table
from training.bundles import fitted_bundle, standing_bundle
from training.scoreboard import Scoreboard
from training.subject import Subject

LONGEST_HORIZON_DAYS = 180  # as in ForecastSettings
LIST_SEPARATOR = "; "  # lists have no place in CSV: they are joined


def check_target(path: Path) -> Path:
    """Refuse at once, before any work, a file that could not be written in the end."""
    if path.suffix not in WRITERS:
        raise ExportError(f"cannot write {path.name!r}: the ending says the format, so use .parquet or .csv")
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file")
    if not path.parent.is_dir():
        raise ExportError(f"there is no folder {path.parent}: make it first, or write elsewhere")
    if not os.access(path.parent, os.W_OK):
        raise ExportError(f"{path.parent} is not writable: write elsewhere")
    return path


def bundle_for(subject: Subject, workspace: Workspace, say: Callable[[str], None], progress: Progress) -> Bundle:
    """The bundle trained on exactly this day, recipe and data; fitted here if there is none, and then said so."""
    standing = standing_bundle(workspace, subject.kind, subject.version)
    if standing is not None:
        return standing
    say(f"no {subject.kind} model was trained as of {subject.as_of} on these data and settings: "
        f"training {subject.version} now, without registering it")  # fmt: skip
    with workspace.writing(f"train {subject.kind} for an export"):
        return fitted_bundle(subject, workspace, progress)


def check_surface(name: str) -> Surface:
    """The surface of that name; ExportError if there is none."""
    for surface in SURFACES:
        if surface == name:
            return surface
    raise ExportError(f"there is no surface {name!r}{did_you_mean(name, SURFACES)}: use one of {', '.join(SURFACES)}")


def check_language(tag: str) -> Language:
    """The language of that tag; ExportError if reasons do not speak it."""
    language = language_of(tag)
    if language is None:
        raise ExportError(f"there are no reasons in {tag!r}: use one of {', '.join(LANGUAGES)}")
    return language


def check_limit(limit: int) -> None:
    if limit < 1:
        raise ExportError(f"--limit {limit}: ask for at least 1 product")


def check_horizon(days: int) -> None:
    if not 1 <= days <= LONGEST_HORIZON_DAYS:
        raise ExportError(f"--horizon {days}: ask for 1 to {LONGEST_HORIZON_DAYS} days")


def recommendations(
    bundle: Bundle, surface: Surface, limit: int, progress: Progress = silent, language: Language = "en"
) -> pa.Table:
    """RECOMMENDATIONS rows: `limit` products for every known customer."""
    return recommendation_table(Surfaces.open(bundle.folder / "surfaces"), surface, limit, progress, language)


def reminders(bundle: Bundle, terms: ReminderTerms, progress: Progress = silent) -> pa.Table:
    """REMINDERS rows of every known customer, by the purchase cycle model that drives buy-again."""
    surfaces = Surfaces.open(bundle.folder / "surfaces")
    buy_again = surfaces.models["buy-again"]
    assert isinstance(buy_again, BuyAgain)
    found = due(buy_again.repurchase, surfaces.purchases, terms, surfaces.opted_out, progress)
    return reminder_table(found, surfaces.purchases, surfaces.settings.half_life_days)


def forecasts(bundle: Bundle, horizon_days: int) -> pa.Table:
    """FORECAST rows of the first `horizon_days` days after the bundle's day."""
    table = pq.read_table(bundle.folder / "forecast.parquet")
    last = pa.scalar(bundle.as_of + timedelta(days=horizon_days), pa.date32())
    return table.filter(pc.less_equal(table["target_date"], last))


def orders(bundle: Bundle) -> pa.Table:
    """ORDER_PROPOSALS rows."""
    return pq.read_table(bundle.folder / "order_proposals.parquet")


def score_table(board: Scoreboard) -> pa.Table:
    """Every score of a backtest: cutoff, method, segment, metric, value, low, high."""
    return pa.Table.from_pandas(board.frame(), preserve_index=False)


def write_file(table: pa.Table, path: Path) -> None:
    """Write a table in the format of the file's ending; the file appears whole or not at all."""
    with _appearing(path) as temporary:
        WRITERS[path.suffix](table, temporary)


def write_parts(parts: Iterable[pa.Table], schema: pa.Schema, path: Path) -> int:
    """Write tables one after another into one file, as `write_file` does; returns the number of rows."""
    rows = 0
    with _appearing(path) as temporary, PART_WRITERS[path.suffix](temporary, schema) as writer:
        for part in parts:
            writer.write_table(part)
            rows += part.num_rows
    return rows


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place once it is complete."""
    check_target(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as fault:
        raise OSError(fault.errno, f"{path}: {fault.strerror or fault}") from fault
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def _write_csv(table: pa.Table, path: Path) -> None:
    lists = [field.name for field in table.schema if pa.types.is_list(field.type)]
    for name in lists:
        joined = pc.binary_join(table[name].combine_chunks(), LIST_SEPARATOR)
        table = table.set_column(table.column_names.index(name), name, joined)
    pacsv.write_csv(table, path)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {".parquet": _write_parquet, ".csv": _write_csv}
PART_WRITERS: dict[str, Callable[[Path, pa.Schema], Any]] = {".parquet": pq.ParquetWriter, ".csv": pacsv.CSVWriter}
