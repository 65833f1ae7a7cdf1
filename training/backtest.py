"""Backtests of either kind: where they cut, what they read, and the run that keeps their figures."""

import hashlib
import io
import json
import re
import tempfile
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from features.demand import PanelSettings, load_panel
from features.errors import HistoryError, RecipeError, did_you_mean
from features.history import load_purchases
from features.progress import Progress, silent
from models.forecasters import FORECASTERS
from models.recommenders import RECOMMENDERS
from training.bundles import panel_settings
from training.code_version import code_identity
from training.experiments import Run, Store
from training.plots import draw_backtest
from training.recipe import Kind
from training.scoreboard import Score, Scoreboard
from training.subject import Subject, read_day
from training.train import method_of

FIGURES = "backtest.csv"
SHOWN_DAYS = 5


def target_days(subject: Subject) -> int:
    """How many days after a cut-off are predicted."""
    recipe = subject.recipe
    return recipe.recommend.target_days if subject.kind == "recommend" else recipe.forecast.horizon_days


def cutoffs_of(subject: Subject, text: str | None) -> list[date]:
    """First days of the target windows, ascending: the days that a text names, or as many as it counts.

    Counted windows end with the subject's as_of and do not overlap. Without a text the recipe says how many.
    Raises HistoryError for a day without history before it or without its whole window after it.
    """
    days = target_days(subject)
    if text is None or re.fullmatch(r"\s*[0-9]{1,4}\s*", text):
        count = subject.recipe.backtest.cutoffs if text is None else int(text)
        count = min(count, (subject.as_of - date.min).days // days)  # so that every cut-off is a day, to be named
        chosen = [subject.as_of + timedelta(days=1 - days * (back + 1)) for back in range(count)]
    else:
        chosen = [read_day(part) for part in text.split(",") if part.strip()]
    first, last = subject.snapshot.first_day + timedelta(days=1), subject.as_of - timedelta(days=days - 1)
    wrong = sorted(day for day in chosen if not first <= day <= last)
    if wrong or not chosen:
        named = ", ".join(str(day) for day in wrong[:SHOWN_DAYS]) or "no day at all"
        named += f" and {len(wrong) - SHOWN_DAYS} more" if len(wrong) > SHOWN_DAYS else ""
        raise HistoryError(
            f"cannot cut at {named}: with {days} days to predict, a cut-off lies between {first} and {last}; "
            "name others, or ask for fewer"
        )
    return sorted(set(chosen))


def judge(
    subject: Subject, store: Store, cutoffs: Sequence[date], names: Sequence[str] = (), progress: Progress = silent
) -> Scoreboard:
    """Run the backtest and log it; one that was run before on the same data, code and settings is read instead.

    Empty `names` means every method of the roster. Raises RecipeError for a name that it does not hold.
    """
    names = checked_names(subject.kind, names)
    end = subject.on(min(subject.as_of, max(cutoffs) + timedelta(days=target_days(subject) - 1)))
    key = _key(end, cutoffs, names)
    kept = store.earlier(subject.kind, key, FIGURES)
    if kept is not None:
        return _read_board(kept)
    board = _run(subject, cutoffs, names, progress)
    with progress.step("logging the backtest"), tempfile.TemporaryDirectory() as files:
        _log(end, store, board, key, Path(files))
    return board


def checked_names(kind: Kind, names: Sequence[str]) -> list[str]:
    """The names, or the whole roster where there are none; RecipeError for a name that it does not hold."""
    roster: Collection[str] = RECOMMENDERS if kind == "recommend" else FORECASTERS
    for name in names:
        if name not in roster:
            raise RecipeError(f"there is no {kind} method {name!r}{did_you_mean(name, roster)}: {', '.join(roster)}")
    return list(dict.fromkeys(names)) or list(roster)


def _key(subject: Subject, cutoffs: Sequence[date], names: Sequence[str]) -> str:
    days = [day.isoformat() for day in cutoffs]
    content = [subject.settings, subject.fingerprint, code_identity(judging=True), days, list(names)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _run(subject: Subject, cutoffs: Sequence[date], names: Sequence[str], progress: Progress) -> Scoreboard:
    if subject.kind == "recommend":
        from training.recommend_backtest import backtest_recommend

        return backtest_recommend(
            lambda day: load_purchases(subject.snapshot, day), cutoffs, subject.recipe.recommend, names, progress
        )
    from training.forecast_backtest import backtest_forecast

    settings, days = panel_settings(subject), target_days(subject)
    # What followed is read for every series with a sale, also for those that a forecast would leave out.
    later = PanelSettings(history_days=days, min_sale_days=1, active_days=days, ahead_days=0)
    return backtest_forecast(
        lambda day: load_panel(subject.snapshot, day, settings),
        cutoffs,
        subject.recipe.forecast,
        names,
        progress,
        load_later=lambda day: load_panel(subject.snapshot, day, later),
    )


def _log(subject: Subject, store: Store, board: Scoreboard, key: str, files: Path) -> None:
    board.frame().to_csv(files / FIGURES, index=False)
    (files / "backtest.json").write_text(json.dumps(board.facts, indent=1, default=str), "utf-8")
    draw_backtest(subject.kind, board, files)
    store.record(
        Run(
            kind=subject.kind,
            name=f"backtest {subject.kind} to {subject.as_of}",
            purpose="backtest",
            recipe=subject.recipe.model_dump(mode="json"),
            settings=subject.settings,
            fingerprint=subject.fingerprint,
            files=files,
            metrics=_metrics(subject, board),
            by_cutoff=board.flat_by_cutoff(method_of(subject)),
            tags={
                "key": key,
                "retailer": subject.recipe.retailer.name,
                "cutoffs": ", ".join(sorted({score.cutoff.isoformat() for score in board.scores})),
                "methods": ", ".join(dict.fromkeys(score.method for score in board.scores)),
            },
        )
    )


def _metrics(subject: Subject, board: Scoreboard) -> dict[str, float]:
    """The released method's figures by their own names, the others' under their method's."""
    released = method_of(subject)
    methods = dict.fromkeys(score.method for score in board.scores)
    named = {f"{method}.{name}": value for method in methods for name, value in board.flat(method).items()}
    return {**named, **board.flat(released)}


def _read_board(text: str) -> Scoreboard:
    frame = pd.read_csv(io.StringIO(text), dtype={"segment": str, "method": str})
    frame["cutoff"] = [date.fromisoformat(day) for day in frame["cutoff"]]
    return Scoreboard(tuple(Score(*row) for row in frame.itertuples(index=False)))
