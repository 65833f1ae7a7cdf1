"""What the boosted forecaster knows of a series at an origin, and of the day that it forecasts from there.

Nothing is read after the origin except what is known in advance: the calendar, and plans that were known at the
origin already (a forecast h days ahead uses a plan only if it was known h days before its day).
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.demand import DayFacts, Panel
from features.history import Float, Int
from models.observed import observed_units

Positions = npt.NDArray[np.intp]

WINDOWS = (7, 14, 28, 56, 112, 364)
YEAR = 364  # 52 weeks, so that weekdays meet
FAR = 400  # days since something that never happened in sight
NEAR_HOLIDAY_DAYS = 14
MAX_CODES = 250  # a category level with more codes is not used as such
PLAN_DAYS = 182
HOLIDAY = "holiday"
CATEGORY_LEVEL = "category_level_"


@dataclass(frozen=True)
class Sight:
    """A panel prepared for features: what was seen, and sums over groups of series; all up to the panel's as_of.

    filled  float32 [series, days] observed units, 0 where the day shows no demand
    seen    bool [series, days]
    groups  one (code of each series' group [series], units per day [groups, days]) per grouping
    """

    panel: Panel
    filled: Float
    seen: npt.NDArray[np.bool_]
    groups: tuple[tuple[Positions, Float], ...]

    @classmethod
    def of(cls, panel: Panel) -> "Sight":
        observed = observed_units(panel)
        seen = ~np.isnan(observed)
        filled = np.where(seen, observed, np.float32(0))
        groupings = [_codes(panel.location_ids), _codes(panel.product_ids), *panel.category.T[-1:]]
        return cls(panel, filled, seen, tuple((codes + 0, _group_totals(codes, filled)) for codes in groupings))


class Features(NamedTuple):
    """Features of every series at an origin.

    origin  float32 [series, …]
    week    float32 [series, 7, …] by weekday of the target, from the origin on
    base    float32 [series] units a day that boosting starts from
    """

    origin: Float
    week: Float
    base: Float


def _codes(ids: list[str]) -> Positions:
    return np.unique(np.array(ids, object).astype(str), return_inverse=True)[1]


def _group_totals(codes: Positions, filled: Float) -> Float:
    """Units that each group sold each day: sums, so that series without sales make no difference."""
    total = np.zeros((int(codes.max(initial=-1)) + 2, filled.shape[1]), np.float32)  # the last row: unknown codes (-1)
    np.add.at(total, codes, filled)
    return total


def origin_features(sight: Sight, column: int) -> Features:
    """Features of every series as of the end of day `column`."""
    known = slice(0, column + 1)
    filled, seen = sight.filled[:, known], sight.seen[:, known]
    means = [_window(filled, seen, days) for days in WINDOWS]
    sold = filled > 0
    columns = [
        *means,
        _ratio(means[0], means[2]),
        _ratio(means[2], means[4]),
        _window(sold, seen, 28),
        _window(sold, seen, 112),
        _spread(filled, seen, 56),
        filled[:, -28:].max(axis=1),
        _window(filled, sold, 182),
        _days_since(sold),
        np.minimum(column - np.argmax(~np.isnan(sight.panel.units[:, known]), axis=1), 730),
        *_prices(sight.panel.price, column),
        *_plan_history(sight.panel, filled, seen, column),
    ]
    for codes, daily in sight.groups:
        columns += _group_levels(codes, daily[:, known])
    origin = np.stack([np.asarray(part, np.float32) for part in columns], axis=1)
    return Features(origin, _weekdays(sight, filled, seen, column), _base(filled, seen))


def _base(filled: Float, seen: npt.NDArray[np.bool_]) -> Float:
    """A smoothed level of each series that boosting starts from, above 0; float32 [series].

    A series begins on a day with a sale, so that the mean of its first days says too much: they count as more days.
    """
    month, quarter = (
        filled[:, -days:].sum(axis=1, dtype=np.float32) / np.maximum(seen[:, -days:].sum(axis=1), days // 2)
        for days in (28, 112)
    )
    return np.asarray(0.6 * month + 0.4 * quarter + 0.01, np.float32)


def _window(values: npt.NDArray[np.generic], seen: npt.NDArray[np.bool_], days: int) -> Float:
    """Mean over the seen days of the last `days`; NaN where none was seen."""
    total = values[:, -days:].sum(axis=1, dtype=np.float32)
    count = seen[:, -days:].sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32)


def _ratio(newer: Float, older: Float) -> Float:
    return np.asarray((newer + np.float32(0.05)) / (older + np.float32(0.05)))


def _spread(filled: Float, seen: npt.NDArray[np.bool_], days: int) -> Float:
    mean, square = _window(filled, seen, days), _window(filled**2, seen, days)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)), np.float32)


def _days_since(sold: npt.NDArray[np.bool_]) -> Float:
    back = sold[:, ::-1]
    return np.where(back.any(axis=1), back.argmax(axis=1), FAR).astype(np.float32)


def _prices(price: Float | None, column: int) -> list[Float]:
    """Last known price, and its ratio to the mean of the last 112 days."""
    if price is None:
        return []
    recent = price[:, max(0, column - 111) : column + 1]
    known = ~np.isnan(recent)
    mean = np.where(known, recent, 0).sum(axis=1, dtype=np.float32) / np.maximum(known.sum(axis=1), 1)
    return [recent[:, -1], recent[:, -1] / np.maximum(mean, np.float32(1e-6))]


def _plan_history(panel: Panel, filled: Float, seen: npt.NDArray[np.bool_], column: int) -> list[Float]:
    """Of each kind of plan: share of recent days in force, and how sales then compare with other days."""
    parts: list[Float] = []
    for name in sorted(panel.planned):
        recent = slice(max(0, column + 1 - PLAN_DAYS), column + 1)
        active = (panel.planned[name][:, recent] >= 0) & seen[:, recent]
        on = _window(np.where(active, filled[:, recent], 0), active, PLAN_DAYS)
        off = _window(np.where(active, 0, filled[:, recent]), seen[:, recent] & ~active, PLAN_DAYS)
        parts += [_window(active, seen[:, recent], 56), _ratio(on, off)]
    return parts


def _group_levels(codes: Positions, daily: Float) -> list[Float]:
    every = np.ones(daily.shape, bool)
    week, month, quarter = (_window(daily, every, days) for days in (7, 28, 112))
    return [month[codes], _ratio(week, month)[codes], _ratio(month, quarter)[codes]]


def _weekdays(sight: Sight, filled: Float, seen: npt.NDArray[np.bool_], column: int) -> Float:
    parts = [_by_weekday(filled, seen, 4), _by_weekday(filled, seen, 12)]
    for codes, daily in sight.groups:
        known = daily[:, : column + 1]
        profile = _by_weekday(known, np.ones(known.shape, bool), 8)
        level = np.maximum(np.nanmean(profile, axis=1, keepdims=True), 1e-6)
        parts.append((profile / level)[codes])
    return np.stack(parts, axis=2).astype(np.float32)


def _by_weekday(filled: Float, seen: npt.NDArray[np.bool_], weeks: int) -> Float:
    """Mean of the last `weeks` days that share the weekday of origin + 1 … origin + 7; [rows, 7]."""
    days = min(weeks, -(-filled.shape[1] // 7)) * 7
    lacking = max(0, days - filled.shape[1])
    shape = (len(filled), -1, 7)
    total = np.pad(filled[:, -days:], ((0, 0), (lacking, 0))).reshape(shape).sum(axis=1)
    count = np.pad(seen[:, -days:], ((0, 0), (lacking, 0))).reshape(shape).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32)


def _days_ahead(panel: Panel, column: int, series: Positions, ahead: Positions) -> Float:
    """`day_features` of the days `ahead` of day `column`, each by the calendar of its series' location."""
    first = int(ahead.min(initial=1))
    start, count = panel.first_day + timedelta(days=column + first), int(ahead.max(initial=1)) - first + 1
    answer = day_features(panel.facts, start, count)[ahead - first]
    for rows, facts in panel.own_calendars():
        own = rows[series]
        answer[own] = day_features(facts, start, count)[(ahead - first)[own]]
    return answer


def day_features(facts: DayFacts, first: date, count: int) -> Float:
    """Weekday, day of month, working day, holiday's code, days to and since a holiday; float32 [count, 6].

    Days that the calendar does not reach are ordinary ones.
    """
    start = (first - facts.first_day).days
    dates = [first + timedelta(days=step) for step in range(count)]
    holiday = np.full(start + count + NEAR_HOLIDAY_DAYS + 1, -1, np.int32)
    known = facts.holiday[: len(holiday)]
    holiday[: len(known)] = known
    working = [bool(facts.working_day[start + step]) if start + step < len(facts.working_day) else day.weekday() < 5
               for step, day in enumerate(dates)]  # fmt: skip
    here = np.arange(start, start + count)
    on = np.flatnonzero(holiday >= 0)
    gap = (on[None, :] - here[:, None]).astype(np.float32) if len(on) else np.full((count, 1), np.float32(np.inf))
    to = np.minimum(np.where(gap >= 0, gap, np.inf).min(axis=1), NEAR_HOLIDAY_DAYS + 1)
    since = np.minimum(np.where(gap <= 0, -gap, np.inf).min(axis=1), NEAR_HOLIDAY_DAYS + 1)
    named = np.where(holiday[here] >= 0, holiday[here], np.nan)
    parts = [
        [day.weekday() for day in dates],
        [day.day for day in dates],
        working,
        named,
        to,
        since,
    ]
    return np.stack([np.asarray(part, np.float32) for part in parts], axis=1)


def category_columns(panel: Panel) -> list[Int]:
    """Category levels with few enough codes to be told apart one by one."""
    return [level for level in panel.category.T if level.max(initial=-1) < MAX_CODES]


def fill_rows(
    matrix: Float, sight: Sight, features: Features, column: int, series: Positions, ahead: Positions
) -> None:
    """Write the features of rows (series, days ahead of day `column`) into `matrix` [rows, feature_count]."""
    panel, target = sight.panel, column + ahead
    at = 0
    blocks: tuple[Float, ...] = (
        ahead[:, None].astype(np.float32),
        _days_ahead(panel, column, series, ahead),
        features.week[series, (ahead - 1) % 7],
        _year_ago(sight, column, series, target),
        *(_in_force(panel.planned[name], series, target, ahead) for name in sorted(panel.planned)),
        *(_code_column(level[series]) for level in category_columns(panel)),
        features.origin[series],
    )
    for block in blocks:
        matrix[:, at : at + block.shape[1]] = block
        at += block.shape[1]


def feature_names(panel: Panel) -> list[str]:
    """The columns that `fill_rows` writes for this panel, named in the letters that LightGBM takes."""
    plans = [f"{number}_{_plain(name)}" for number, name in enumerate(sorted(panel.planned))]
    groups = ["location", "product", *(["category"] if panel.category.shape[1] else [])]
    return [
        "days_ahead",
        *("weekday", "day_of_month", "working_day", HOLIDAY, "days_to_holiday", "days_since_holiday"),
        *("same_weekday_4_weeks", "same_weekday_12_weeks"),
        *(f"{group}_weekday" for group in groups),
        *("year_ago", "year_ago_trend"),
        *(f"plan_{plan}" for plan in plans),
        *(f"{CATEGORY_LEVEL}{level}" for level in range(len(category_columns(panel)))),
        *(f"mean_{days}_days" for days in WINDOWS),
        *("week_to_month", "month_to_quarter", "sale_days_28", "sale_days_112", "spread_56_days", "most_28_days"),
        *("units_per_sale_day", "days_since_sale", "age_days"),
        *(() if panel.price is None else ("price", "price_to_usual")),
        *(f"plan_{plan}_{what}" for plan in plans for what in ("share", "uplift")),
        *(f"{group}_{what}" for group in groups for what in ("month", "week_to_month", "month_to_quarter")),
    ]


def feature_count(panel: Panel) -> int:
    """How many columns `fill_rows` writes for this panel."""
    return len(feature_names(panel))


def categorical_positions(panel: Panel) -> list[int]:
    """Which columns are codes: the holiday, and the category levels."""
    return [at for at, name in enumerate(feature_names(panel)) if name == HOLIDAY or name.startswith(CATEGORY_LEVEL)]


def _plain(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", name)


def _code_column(codes: Int) -> Float:
    return np.where(codes >= 0, codes, np.float32(np.nan)).astype(np.float32)[:, None]


def _in_force(plan: npt.NDArray[np.int16], series: Positions, target: Positions, ahead: Positions) -> Float:
    reached = target < plan.shape[1]
    known_before = plan[series, np.minimum(target, plan.shape[1] - 1)]
    return np.asarray(reached & (known_before >= ahead), np.float32)[:, None]


def _year_ago(sight: Sight, column: int, series: Positions, target: Positions) -> Float:
    """Mean of the week around the same weekday a year ago, and its ratio to the weeks before; NaN if unseen."""
    answer = np.full((len(series), 2), np.float32(np.nan))
    if column < YEAR + 4:
        return answer
    middle = target - YEAR
    inside = (middle >= 3) & (middle + 3 <= column)
    rows, day = series[inside], middle[inside]
    around = day[:, None] + np.arange(-3, 4)
    seen = sight.seen[rows[:, None], around].sum(axis=1)
    mean = sight.filled[rows[:, None], around].sum(axis=1) / np.maximum(seen, 1)
    start = column - YEAR
    before = slice(max(0, start - 27), start + 1)
    level = _window(sight.filled[:, before], sight.seen[:, before], 28)[rows]
    answer[inside, 0] = np.where(seen > 0, mean, np.nan)
    answer[inside, 1] = np.where(seen > 0, _ratio(mean, level), np.nan)
    return answer
