"""Backtest of the purchase cycle: dates, chances and reminders, each beside its baselines, and their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from training.timing_calibration import calibration_scores
from training.timing_dates import Load, timing_scores
from training.timing_reminders import reminder_scores


@dataclass(frozen=True)
class TimingDays:
    """Learn until a day, ask at every purchase from `first` to `last`; chances and reminders of `weeks` (Mondays)."""

    learnt_until: date
    first: date
    last: date
    weeks: tuple[date, ...]


TEST_DAYS = TimingDays(
    date(2017, 9, 17), date(2017, 9, 18), date(2017, 10, 1),
    (date(2017, 10, 9), date(2017, 10, 30), date(2017, 11, 20), date(2017, 12, 11)),
)  # fmt: skip
DEVELOPMENT_DAYS = TimingDays(
    date(2017, 5, 14), date(2017, 5, 15), date(2017, 6, 11),
    (date(2017, 8, 14), date(2017, 8, 28), date(2017, 9, 11)),
)  # fmt: skip


def timing_figures(load: Load, days: TimingDays = TEST_DAYS, seed: int = 7) -> tuple[dict[str, Any], str]:
    """Every figure of the purchase cycle, and their tables in Markdown. `load` gives the history as of a day.

    Raises HistoryError where no product has a category.
    """
    kept = lru_cache(maxsize=2)(load)
    dates = timing_scores(kept, days.learnt_until, days.first, days.last, seed)
    chances = calibration_scores(kept, list(days.weeks), seed)
    reminders = reminder_scores(kept, list(days.weeks), seed)
    pairs = sum(week["pairs"] for week in chances["weeks"].values())
    text = [
        f"When a household buys the same kind of product again, asked at {dates['anchors']:,} purchases from "
        f"{days.first} to {days.last}, learnt until {days.learnt_until}. Scored are the {dates['scored']:,} of them by "
        f"{dates['households']:,} households, whose next purchase came within 90 days; the distribution is cut there.",
        _table(("method", "within ±3 days", "mean error, days"),
               [(name, _interval(score["within_3_days"]), _interval(score["mean_error_days"], 1))
                for name, score in dates["scores"].items()]),
        "Chance that a household buys a kind it bought before within 7 days, said on the day before each week, over "
        f"{pairs:,} pairs.",
        _table(("method", "slope", "intercept", "Brier", "Brier − model's"),
               [(name, f"{score['slope']:.3f}", f"{score['intercept']:.3f}", f"{score['brier'][0]:.5f}",
                 _interval(score["brier_over_model"], 5)) for name, score in chances["scores"].items()]),
        "Reminders 3 days ahead: share bought within ±3 days of the due date and after the reminder, at equal volume.",
        _table(("chosen", "sent by", "reminders", "precision"),
               [(kind, side, f"{score['reminders']:,}", _interval(score["precision"]))
                for kind, sides in reminders.items() for side, score in sides.items()]),
    ]  # fmt: skip
    return {"dates": dates, "chances": chances, "reminders": reminders}, "\n\n".join(text)


def _interval(values: Sequence[float], digits: int = 3) -> str:
    return "{0:.{3}f} ({1:.{3}f} – {2:.{3}f})".format(*values, digits)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(_table(("a", "b"), [("1", "2")]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
