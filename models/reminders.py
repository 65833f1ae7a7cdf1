"""Whom to remind of what, some days before it is due again.

A reminder is of the finest category where products have any, else of the product. The due date is foretold when the
thing is bought: the middle of the most probable ±3 days until the next purchase. So every purchase has one due date,
a shop that asks every day reminds of it once, and nobody is reminded of what was bought again meanwhile. Whether it
is worth it is judged by what is known on the day of the reminder.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.customers import Long, customer_blocks, owned_of
from features.cycles import Moments
from features.errors import HistoryError
from features.history import EPOCH, PATH_SEPARATOR, Float, Ids, Int, Purchases
from features.progress import Progress, silent
from models.cycle_rows import Sight, seeing, sights
from models.outlook import HORIZON_DAYS, WINDOW_DAYS, daily, due, within
from models.reasons import Due, whole_gap
from models.repurchase import Repurchase

MOST_DAYS_AHEAD = 28
LEAST_PURCHASES = 2
STOPPED = 0.5  # who has stopped with this chance is not reminded
CHUNK = 100_000


@dataclass(frozen=True)
class ReminderTerms:
    """What is worth a reminder; raises HistoryError where a term cannot be meant.

    days_ahead         days before the due date
    most_per_customer  of a customer, the most probable ones
    least_probability  of a purchase within ±3 days of the due date, as of now
    """

    days_ahead: int = 3
    most_per_customer: int = 3
    least_probability: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.days_ahead <= MOST_DAYS_AHEAD:
            raise HistoryError(f"{self.days_ahead} days ahead: reminders are made 1 to {MOST_DAYS_AHEAD} days before")
        if self.most_per_customer < 1:
            raise HistoryError(f"{self.most_per_customer} reminders per customer: ask for at least 1")
        if not 0 <= self.least_probability < 1:
            raise HistoryError(f"a least probability of {self.least_probability}: name one from 0 to below 1")


@dataclass(frozen=True)
class Reminders:
    """Things that are due; all arrays have one entry per reminder, sorted by customer, then falling probability.

    customer, thing             codes; the thing is a category where `of_categories`, else a product
    due_day, earliest, latest   day numbers; one purchase in five comes before, and one after
    probability                 of a purchase within ±3 days of the due date, as of now
    purchases, mean_gap, since  days with a purchase so far, mean days between them, days since the last
    """

    of_categories: bool
    customer: Int
    thing: Int
    due_day: Int
    earliest: Int
    latest: Int
    probability: Float
    purchases: Int
    mean_gap: Float
    since: Int

    def only(self, rows: Long) -> "Reminders":
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS = ("customer", "thing", "due_day", "earliest", "latest", "probability", "purchases", "mean_gap", "since")


def reminders(
    model: Repurchase, purchases: Purchases, terms: ReminderTerms, opted_out: frozenset[str] = frozenset(),
    progress: Progress = silent,
) -> Reminders:  # fmt: skip
    """What is due `terms.days_ahead` days after the history's last day; customers in `opted_out` get none."""
    whole = sights(purchases, 1)
    silent_ones = purchases.customers.codes(sorted(opted_out))
    parts: list[Reminders] = []
    blocks = customer_blocks(purchases)
    with progress.step("reminders", len(blocks)) as step:
        for low, high in blocks:
            kind = seeing(whole, purchases, slice(low, high))[-1]
            now = kind.cycles.now
            parts += [_due_then(model, kind, now.part(slice(begin, begin + CHUNK)), terms)
                      for begin in range(0, max(len(now), 1), CHUNK)]  # fmt: skip
            step.advance()
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    found = replace(parts[0], **columns)
    return _best(found.only(np.flatnonzero(~np.isin(found.customer, silent_ones))), terms)


def _due_then(model: Repurchase, kind: Sight, now: Moments, terms: ReminderTerms) -> Reminders:
    """Of some sequences those whose due date is so many days ahead, and that are not held for stopped."""
    cycles = kind.cycles
    bought = cycles.day[now.event]
    sequence = cycles.sequence[now.event]
    count = now.event - cycles.start[sequence] + 1
    hopeful = np.flatnonzero((now.day - bought < HORIZON_DAYS) & (count >= LEAST_PURCHASES))
    then = due(daily(model.hazards(kind.rows(Moments(now.event[hopeful], bought[hopeful])))))
    near = np.flatnonzero(bought[hopeful] + then.likeliest == now.day[hopeful] + terms.days_ahead)
    at = hopeful[near]
    hazard = model.hazards(kind.rows(now.part(at)))
    low, high = terms.days_ahead - WINDOW_DAYS - 1, terms.days_ahead + WINDOW_DAYS
    chance = within(hazard, high) - (within(hazard, low) if low > 0 else 0)
    day, tomorrow = bought[at], now.day[at] + 1
    first, gaps = cycles.day[cycles.start[sequence[at]]], np.maximum(count[at] - 1, 1)
    made = Reminders(
        kind.of_categories, cycles.customer[sequence[at]], cycles.thing[sequence[at]], day + then.likeliest[near],
        np.maximum(np.minimum(day + then.earliest[near], day + then.likeliest[near]), tomorrow).astype(np.int32),
        np.maximum(day + then.latest[near], day + then.likeliest[near]).astype(np.int32), chance,
        count[at].astype(np.int32), ((day - first) / gaps).astype(np.float32), now.day[at] - day,
    )  # fmt: skip
    stopped = np.prod(1 - hazard, axis=1)
    return made.only(np.flatnonzero((stopped < STOPPED) & (chance >= terms.least_probability)))


def _best(found: Reminders, terms: ReminderTerms) -> Reminders:
    """The most probable ones of each customer."""
    ordered = found.only(np.lexsort((found.thing, -found.probability, found.customer)))
    rank = np.arange(len(ordered.customer)) - np.searchsorted(ordered.customer, ordered.customer)
    return ordered.only(np.flatnonzero(rank < terms.most_per_customer))


def reminder_table(found: Reminders, purchases: Purchases, half_life_days: float) -> pa.Table:
    """REMINDERS rows; of a category, the product is the one that the customer buys most."""
    products, categories = purchases.products, purchases.catalog.category_names
    names: Ids = categories[-1] if found.of_categories else products
    favourite = _favourites(found, purchases, half_life_days) if found.of_categories else found.thing
    said = [
        Due(whole_gap(gap) or 1, since, names[code].split(PATH_SEPARATOR)[-1] if found.of_categories else None)
        for code, gap, since in zip(found.thing.tolist(), found.mean_gap.tolist(), found.since.tolist(), strict=True)
    ]
    category = [names[code] if found.of_categories else None for code in found.thing.tolist()]
    return pa.table({
        "customer_id": pa.array(purchases.customers.values, pa.string()).take(pa.array(found.customer)),
        "category": pa.array(category, pa.string()),
        "product_id": pa.array(products.values, pa.string()).take(pa.array(favourite)),
        **{name: _dates(days) for name, days in
           (("due_date", found.due_day), ("earliest", found.earliest), ("latest", found.latest))},
        "probability": pa.array(found.probability.astype(np.float64)),
        "reason": pa.array([reason.text("en") for reason in said], pa.string()),
        "reason_zh": pa.array([reason.text("zh") for reason in said], pa.string()),
    })  # fmt: skip


def _dates(days: Int) -> pa.Array:
    return pa.array([EPOCH + timedelta(days=day) for day in days.tolist()], pa.date32())


def _favourites(found: Reminders, purchases: Purchases, half_life_days: float) -> Int:
    """Of each reminder's category the product with the most decayed orders of the customer, int32 [reminders]."""
    owned = owned_of(purchases, half_life_days)
    row, entry = owned.entries(found.customer)
    fits = purchases.catalog.finest[owned.product[entry]] == found.thing[row]
    row, entry = row[fits], entry[fits]
    order = np.lexsort((-owned.product[entry], owned.decayed[entry], row))
    best = np.zeros(len(found.customer), np.int32)
    best[row[order]] = owned.product[entry[order]]  # the last assignment per reminder stands
    return best
