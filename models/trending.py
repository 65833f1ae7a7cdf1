"""What grows: buyers of the last days against the days before, at this location, backed off to everywhere.

Growth of the last days mostly falls back. Where past weeks can be learnt from, the chance that a product goes on
growing ranks what grows; the ratio of buyers does where they cannot.
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.stats import poisson

from features.arrays import open_array, open_json, open_record, save_array, save_json, save_record
from features.history import Float, Int, Purchases, day_number
from models.contracts import Bools, Queries, Recommender, Scored
from models.growth import WEEK_DAYS, chance_of_growth
from models.popular import Counts, count_buyers
from models.ranking import BestOfPlaces, Numbers, lists_of_places
from models.reasons import Growing, Reason
from models.saved_settings import open_settings, save_settings

PRIOR_BUYERS = 60.0  # so many buyers count half: with fewer, what was bought by chance ranks first
LEAST_BUYERS = 3  # in the recent window
LEVELS = ("recent", "earlier", "recent_here", "earlier_here")


class Trending(Recommender):
    """Products by the growth of their buyers, each counted once a window."""

    name: ClassVar[str] = "trending"

    def fit(self, purchases: Purchases) -> Self:
        """Compare the last half of `popular_days` with as many days before."""
        self.purchases, self._best = purchases, BestOfPlaces()
        self.window_days = max(self.settings.popular_days // 2, 1)
        age = day_number(purchases.as_of) - purchases.day
        recent = np.flatnonzero(age < self.window_days)
        earlier = np.flatnonzero((age >= self.window_days) & (age < 2 * self.window_days))
        for name, rows in (("recent", recent), ("earlier", earlier)):
            setattr(self, name, count_buyers(purchases, rows, np.zeros(len(rows), np.int32), 1))
            here = count_buyers(purchases, rows, purchases.location[rows], len(purchases.locations))
            setattr(self, f"{name}_here", here)
        chance = chance_of_growth(purchases, self.settings.seed)
        self.chance = np.empty(0, np.float32) if chance is None else chance
        return self

    chance: Float  # of growth next week, [products]; empty where it could not be learnt
    recent: Counts
    earlier: Counts
    recent_here: Counts
    earlier_here: Counts

    def growth(self, location: int) -> Numbers:
        """How much each product grows, float64 [products]; -inf where its buyers grow neither here nor everywhere, so
        that there is always a growth to name.

        The chance of more buyers next week where that could be learnt, at a location that of more buyers there; else
        the ratio of recent to earlier buyers, shrunk to 1 and, at a location, to the ratio everywhere."""
        recent, earlier = self._dense(self.recent, 0), self._dense(self.earlier, 0)
        growth, grows = (recent + PRIOR_BUYERS) / (earlier + PRIOR_BUYERS), _grows(recent, earlier)
        growth = np.where(growth > 1, growth, -np.inf) if not len(self.chance) else self.chance.astype(np.float64)
        if location >= 0:
            here, before = self._dense(self.recent_here, location), self._dense(self.earlier_here, location)
            grows |= _grows(here, before)
            growth = self._growth_here(recent + earlier, here + before, growth) if len(self.chance) else \
                (here + PRIOR_BUYERS * growth) / (before + PRIOR_BUYERS)  # fmt: skip
        return np.where(grows & (growth > 0), growth, -np.inf)

    def _growth_here(self, everywhere: Numbers, here: Numbers, chance: Numbers) -> Numbers:
        """Chance that a Poisson number of next week's buyers here is above the weekly mean of both windows.

        What is expected is half the mean here and half this location's part of everywhere's, times what the chance
        everywhere says: 1 at a half.
        """
        weeks = 2 * self.window_days / WEEK_DAYS
        part = here.sum() / max(float(everywhere.sum()), 1.0)
        expected = (0.5 * here + 0.5 * part * everywhere) / weeks * (0.5 + chance)
        return np.asarray(poisson.sf(np.floor(here / weeks), expected), np.float64)

    def _dense(self, counts: Counts, place: int) -> Numbers:
        entries, dense = counts.at(place), np.zeros(len(self.purchases.products))
        dense[counts.product[entries]] = counts.customers[entries] + counts.anonymous[entries]
        return dense

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the growth; what does not grow has no entry."""

        def best_of(location: int, count: int) -> tuple[Int, Numbers]:
            return self._best.at((location,), lambda here: self.growth(*here), count, queries.allowed)

        return lists_of_places(queries, queries.location, best_of, limit, len(self.purchases.products))

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        here, before = self._buyers(queries.location[scored.query], scored, "_here")
        recent, earlier = self._buyers(np.zeros(len(scored.query), np.int32), scored, "")
        local = _grows(here, before)
        told = (np.where(local, here, recent), np.where(local, before, earlier), local)
        return [
            Growing(now, then, self.window_days, at_shop)
            for now, then, at_shop in zip(*(column.tolist() for column in told), strict=True)
        ]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        """trending-here where the location's own buyers grow, else trending."""
        here, before = self._buyers(queries.location[scored.query], scored, "_here")
        return ["trending-here" if local else "trending" for local in _grows(here, before).tolist()]

    def _buyers(self, place: Int, scored: Scored, level: str) -> tuple[Int, Int]:
        recent, earlier = (
            getattr(self, f"{name}{level}").find(place, scored.product) for name in ("recent", "earlier")
        )
        return recent[0] + recent[1], earlier[0] + earlier[1]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_json(folder, "window", {"days": self.window_days})
        save_array(folder, "chance", self.chance)
        for name in LEVELS:
            save_record(folder / name, getattr(self, name))

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases, opened._best = purchases, BestOfPlaces()
        opened.window_days = open_json(folder, "window")["days"]
        opened.chance = open_array(folder, "chance")
        for name in LEVELS:
            setattr(opened, name, open_record(folder / name, Counts))
        return opened


def _grows(recent: Int | Numbers, earlier: Int | Numbers) -> Bools:
    return np.asarray((recent > earlier) & (recent >= LEAST_BUYERS), bool)
