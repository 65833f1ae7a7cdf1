"""Next-basket questions: the last basket of each household as truth, or the first one after a day.

The published protocol (Hu and others, Modeling personalized item frequency information for next-basket
recommendation, 2020, and its successors) hides each household's last basket and learns from everything else: also from
what other households bought later. That look-ahead is part of it. `first_baskets` asks the same without.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from features.history import Int, Purchases, day_number
from models.contracts import Bools
from models.ranking import pairs
from models.settings import RecommendSettings
from training.recommend_question import Question

LEAST_LINES = 17  # of a product
LEAST_BASKETS = 4  # of a household, the one asked about included
AHEAD_DAYS = 28  # within which a first basket must come


@dataclass(frozen=True)
class Hidden:
    """A history without each household's last basket, and those baskets: `rows` is bool [entries of `everything`]."""

    history: Purchases
    everything: Purchases
    rows: Bools

    def question(self, settings: RecommendSettings) -> Question:
        nobody = Question.of_nobody(self.history.as_of + timedelta(days=1), self.history, settings)
        return nobody.about(self.everything, self.rows)


def hide_last_baskets(purchases: Purchases, aligned: bool = True) -> Hidden:
    """Hide the last basket of every household with LEAST_BASKETS, counting only products with LEAST_LINES.

    Households' last baskets lie months apart, and models count ages up to one day. `aligned` moves the days of each
    household so that its last basket falls on the day after `as_of`: ages are then those at its own next visit, as in
    models that count baskets instead of days. Nothing of the hidden basket is told by it but that the household comes
    that day. An earlier basket of the same day counts as of the day before. Plans are left out: they hold on real days.
    """
    kept = _enough(purchases)
    last = np.full(len(purchases.customers), -1, np.int64)
    np.maximum.at(last, kept.customer, kept.order)
    hidden = kept.order == last[kept.customer]
    day = kept.day
    if aligned:
        target = np.zeros(len(purchases.customers), np.int32)
        target[kept.customer[hidden]] = kept.day[hidden]
        end = day_number(purchases.as_of)
        day = np.minimum(kept.day + (end + 1 - target[kept.customer]), end).astype(np.int32)
    history = _some(replace(kept, day=day, order=_by_day(day, kept.order)), ~hidden)
    return Hidden(history.until(purchases.as_of), kept, hidden)


def first_baskets(question: Question, later: Purchases) -> Question:
    """Ask about the first basket within AHEAD_DAYS of the cut-off of households with LEAST_BASKETS - 1 before it.

    Known is what `question` knows; all products count.
    """
    begin = day_number(question.cutoff)
    customer = question.history.customers.codes(later.customers.values)
    enough = np.append(question.customers.baskets >= LEAST_BASKETS - 1, False)[customer]
    after = (later.day >= begin) & (later.day < begin + AHEAD_DAYS) & (later.customer >= 0)
    after &= enough[later.customer]
    first = np.full(len(later.customers), np.iinfo(np.int32).max, np.int64)
    np.minimum.at(first, later.customer[after], later.order[after])
    return question.about(later, after & (later.order == first[later.customer]))


def _enough(purchases: Purchases) -> Purchases:
    """The lines of known households with enough baskets of products with enough lines."""
    known = purchases.customer >= 0
    lines = np.bincount(purchases.product[known], minlength=len(purchases.products))
    known &= lines[purchases.product] >= LEAST_LINES
    orders = np.int64(purchases.order.max(initial=0) + 1)
    held = np.unique(pairs(purchases.customer[known], purchases.order[known], int(orders)))
    baskets = np.bincount(held // orders, minlength=len(purchases.customers))
    return _some(purchases, known & (baskets[purchases.customer] >= LEAST_BASKETS))


def _some(purchases: Purchases, rows: Bools) -> Purchases:
    names = ("customer", "product", "location", "channel", "order", "day", "units", "amount")
    return replace(purchases, offers=None, **{name: getattr(purchases, name)[rows] for name in names})


def _by_day(day: Int, order: Int) -> Int:
    """Numbers of orders that rise with moved days, and as before within a day."""
    key = day.astype(np.int64) * (int(order.max(initial=0)) + 1) + order
    number: Int = np.unique(key, return_inverse=True)[1].astype(np.int32)
    return number
