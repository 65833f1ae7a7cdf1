"""What the purchase cycle model sees of a customer and a thing at the end of a day, and the days it learns from."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.customers import Long
from features.cycles import MOMENT_COLUMNS, THING_COLUMNS, Cycles, Moments, moment_features, thing_facts
from features.history import GOLDEN, UNKNOWN, Float, Int, Purchases
from models.cycle_prior import typical_gap

Bools = npt.NDArray[np.bool_]

MOST_ROWS = 8_000_000  # of the history that gaps of things are told from and that is learnt from: whole customers
FOLDS = 2
RECENT_DAYS = 91  # of which later days without a purchase are learnt from: what is asked about looks like these
JUST_BOUGHT, ANY_DAY, REGULAR_DAY = 0.4, 0.4, 0.2  # shares of the moments learnt from
WIDE_FACTS = ("elapsed", "bought_28", "bought_91", "purchases", "gap_mean")  # of a product's category
RATIOS = ("gap_mean", "gap_median", "gap_1")
COLUMNS = (
    *MOMENT_COLUMNS, *THING_COLUMNS, *(f"category_{name}" for name in WIDE_FACTS), "is_category", "typical_gap",
    "elapsed_by_typical_gap", *(f"elapsed_by_{name}" for name in RATIOS), "prior",
)  # fmt: skip


@dataclass(frozen=True)
class Sight:
    """The cycles of one kind of thing, what everybody's cycles say of each thing, and the kind it belongs to.

    `facts` is float32 [folds, things, THING_COLUMNS]: with two folds, a customer's own purchases are not among
    those that the facts of its fold (customer code modulo folds) were counted from.
    """

    cycles: Cycles
    facts: Float
    wider: Int
    wide: "Sight | None"
    of_categories: bool

    def rows(self, moments: Moments) -> Float:
        """Everything known at each moment, float32 [moments, COLUMNS]; the last column is left for the prior."""
        cycles = self.cycles
        sequence = cycles.sequence[moments.event]
        customer, thing = cycles.customer[sequence], cycles.thing[sequence]
        own = moment_features(cycles, moments)
        matrix = np.empty((len(moments), len(COLUMNS)), np.float32)
        matrix[:, : len(MOMENT_COLUMNS)] = own
        at = len(MOMENT_COLUMNS) + len(THING_COLUMNS)
        matrix[:, len(MOMENT_COLUMNS) : at] = self.facts[customer % len(self.facts), thing]
        matrix[:, at : at + len(WIDE_FACTS)] = self._of_category(customer, thing, moments.day)
        at += len(WIDE_FACTS)
        matrix[:, at] = self.of_categories
        matrix[:, at + 1] = typical_gap(matrix)
        elapsed = own[:, MOMENT_COLUMNS.index("elapsed")]
        for number, gap in enumerate([matrix[:, at + 1], *(own[:, MOMENT_COLUMNS.index(name)] for name in RATIOS)]):
            matrix[:, at + 2 + number] = elapsed / gap
        matrix[:, -1] = np.nan
        return matrix

    def _of_category(self, customer: Int, thing: Int, day: Int) -> Float:
        """WIDE_FACTS of the same customer and the thing's category; NaN without one."""
        facts = np.full((len(day), len(WIDE_FACTS)), np.nan, np.float32)
        if self.wide is None or not len(self.wide.cycles):
            return facts
        known = np.flatnonzero(self.wider[thing] >= 0)
        cycles = self.wide.cycles
        sequence = cycles.find(customer[known], self.wider[thing[known]])
        event = cycles.bought_until(sequence, day[known]) - 1
        wide = moment_features(cycles, Moments(event, day[known]))
        facts[known] = wide[:, [MOMENT_COLUMNS.index(name) for name in WIDE_FACTS]]
        return facts


def sights(purchases: Purchases, folds: int) -> list[Sight]:
    """Sight of products and, after it, of the finest categories where any is known, over the sampled customers."""
    finest = purchases.catalog.finest
    kinds = [(finest, int(finest.max(initial=UNKNOWN)) + 1),
             (np.arange(len(purchases.products), dtype=np.int32), len(purchases.products))]  # fmt: skip
    rows = sampled(purchases)
    wide: Sight | None = None
    made: list[Sight] = []
    for thing, things in kinds:
        if not things:
            continue
        wider = np.full(things, UNKNOWN, np.int32) if wide is None else finest
        cycles = Cycles.of(purchases, thing, things, rows)
        facts = np.stack([
            thing_facts(cycles, wider, None if wide is None else wide.facts[fold],
                        None if folds == 1 else cycles.customer % folds != fold)
            for fold in range(folds)
        ])  # fmt: skip
        wide = Sight(cycles, facts, wider, wide, thing is finest)
        made.insert(0, wide)
    return made


def seeing(kinds: list[Sight], purchases: Purchases, rows: slice | Long) -> list[Sight]:
    """The same kinds over the customers of other rows."""
    wide: Sight | None = None
    made: list[Sight] = []
    for kind in kinds[::-1]:
        thing = purchases.catalog.finest if kind.of_categories else np.arange(len(purchases.products), dtype=np.int32)
        wide = replace(kind, cycles=Cycles.of(purchases, thing, kind.cycles.things, rows), wide=wide)
        made.insert(0, wide)
    return made


def sampled(purchases: Purchases) -> Long:
    """Rows of as many known customers, drawn by a hash of their codes, as have about MOST_ROWS."""
    known = len(purchases) - int(np.searchsorted(purchases.customer, 0))
    share = min(1.0, MOST_ROWS / max(known, 1))
    hashed = purchases.customer.astype(np.uint32) * GOLDEN  # unlike every n-th, it leaves both folds full
    return np.flatnonzero((purchases.customer >= 0) & (hashed <= np.uint32(share * (2**32 - 1))))


def learning_moments(cycles: Cycles, count: int, random: np.random.Generator) -> Moments:
    """At most `count` moments to learn from: just after purchases, and on later days without another one.

    Landmarking (van Houwelingen 2007). Just after purchases: of any time. Later days: of the last RECENT_DAYS, drawn
    evenly from all days of all sequences, as they will be asked about, and once more from those of three purchases
    and more, so that regular customers are not drowned.
    """
    bought = np.flatnonzero(cycles.day < cycles.as_of_day)
    if len(bought) > JUST_BOUGHT * count:
        bought = np.sort(random.choice(bought, int(JUST_BOUGHT * count), replace=False))
    events, days = [bought], [cycles.day[bought]]
    ends = np.where(cycles.next_day >= 0, cycles.next_day, cycles.as_of_day)
    begins = np.maximum(cycles.day, cycles.as_of_day - RECENT_DAYS)
    open_days = np.maximum(ends - begins, 0)
    place = np.arange(len(cycles.day)) - cycles.start[cycles.sequence] + 1
    for share, chosen in ((ANY_DAY, open_days), (REGULAR_DAY, open_days * (place >= 3))):
        total = np.cumsum(chosen, dtype=np.int64)
        if len(total) and total[-1]:
            drawn = random.integers(0, total[-1], int(share * min(count, 4 * len(bought))))
            event = np.searchsorted(total, drawn, side="right")
            events.append(event)
            days.append(begins[event] + np.floor(random.random(len(event)) * open_days[event]).astype(np.int32))
    return Moments(np.concatenate(events), np.concatenate(days).astype(np.int32))


def at_risk(cycles: Cycles, moments: Moments, low: int, high: int) -> tuple[Long, Bools]:
    """Moments at which a bin of days (low, high] was fully seen and not bought before it; and whether bought in it.

    A bin that the history's end cuts is left out even where a purchase was seen, or early ones alone would count.
    """
    following = cycles.next_day[moments.event]
    gap = np.where(following >= 0, following - moments.day, np.iinfo(np.int32).max)
    rows = np.flatnonzero((gap > low) & (cycles.as_of_day - moments.day >= high))
    return rows, gap[rows] <= high
