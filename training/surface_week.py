"""A target week that surfaces are asked about, and everything as it was known the day before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.customers import Long
from features.history import Int, Purchases, day_number, recoded
from models.contracts import Queries, Scored
from models.growth import WEEK_DAYS

Load = Callable[[date], Purchases]
Numbers = npt.NDArray[np.float64]
PLACES = 10


@dataclass(frozen=True)
class Week:
    """`history` ends the day before `cutoff`; `window` ends with the week that begins there.

    Columns of the week's purchases are given in the history's codes, -1 for what it does not hold.
    """

    cutoff: date
    history: Purchases
    window: Purchases

    @classmethod
    def of(cls, load: Load, cutoff: date) -> "Week":
        """`load` gives the history as of a day."""
        return cls(cutoff, load(cutoff - timedelta(days=1)), load(cutoff + timedelta(days=WEEK_DAYS - 1)))

    @cached_property
    def rows(self) -> Long:
        """Rows of the window that are in the week, by order, then product."""
        rows = np.flatnonzero(self.window.day >= day_number(self.cutoff))
        return rows[np.lexsort((self.window.product[rows], self.window.order[rows]))]

    def column(self, name: str, rows: Any) -> Int:
        """customer, product, location or channel of rows of the window, in the history's codes."""
        known, into = getattr(self.window, f"{name}s"), getattr(self.history, f"{name}s")
        return recoded(known, into, getattr(self.window, name)[rows])


def asked(customer: Int, location: Int, basket: Sequence[Int] | None = None, anchor: Int | None = None) -> Queries:
    """Queries that exclude nothing but their basket."""
    unknown, nothing = np.full(len(customer), -1, np.int32), (np.empty(0, np.int32),) * len(customer)
    held = nothing if basket is None else tuple(basket)
    return Queries(customer, location, unknown, held, unknown if anchor is None else anchor, held)


def places_of(answer: Scored, truth: Int) -> Int:
    """The place, from 0, at which each query's one true product stands in its list; -1 where it is not."""
    place = np.arange(len(answer.query)) - np.searchsorted(answer.query, answer.query, side="left")
    found, hit = np.full(len(truth), -1, np.int32), answer.product == truth[answer.query]
    found[answer.query[hit]] = place[hit]
    return found


def gains(place: Int) -> dict[str, Numbers]:
    """hit@10 and NDCG@10 of each query with one true product."""
    hit = (place >= 0) & (place < PLACES)
    return {"hit@10": hit.astype(np.float64), "ndcg@10": np.where(hit, 1 / np.log2(np.maximum(place, 0) + 2.0), 0.0)}
