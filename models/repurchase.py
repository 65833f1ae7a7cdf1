"""When a customer's own product, or its category, is due again: a learnt distribution of days, not one date.

Discrete-time survival analysis by boosting: for every bin of coming days one binary LightGBM says how likely the
next purchase falls into it if it came in none before (Singer and Willett 1993; boosting of hazards as in Suresh et
al. 2022). Learnt from moments of the past (landmarking), where who has not bought again yet counts as such up to
the end of the history. Trees start from a formula, `models/cycle_prior.py`, and correct it; a bin with too few
purchases to learn from is answered by the formula alone. What is learnt knows no codes: it reads any history.
"""

from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np

from features.arrays import open_json, save_json
from features.customers import Long, customer_blocks
from features.cycles import Cycles, Moments
from features.errors import BundleError
from features.history import Float, Int, Purchases
from features.own import lines_of
from models.cycle_prior import prior_hazards
from models.cycle_rows import FOLDS, Sight, at_risk, learning_moments, seeing, sights
from models.outlook import BIN_ENDS, HORIZON_DAYS, Outlook
from models.outlooks import Outlooks

TREES, FAR_TREES = 50, 25  # of bins within a week, and of later ones
WEEK_DAYS = 7
MOMENTS = 100_000  # of products, and as many of categories, that are learnt from
LEAST_PURCHASES = 50  # in a bin, and as many without, to learn from it
CHUNK = 200_000
PARAMETERS: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.1, "num_leaves": 16, "min_data_in_leaf": 50, "feature_fraction": 0.6,
    "lambda_l2": 10.0, "max_bin": 63, "deterministic": True, "force_row_wise": True, "verbosity": -1, "num_threads": 1,
}  # fmt: skip


class Repurchase:
    """Hazards of the next purchase; `boosters` has one entry per bin of BIN_ENDS, None where the formula answers."""

    boosters: list[lgb.Booster | None]

    @classmethod
    def fit(cls, purchases: Purchases, seed: int = 7) -> Self:
        """Learn from all known customers; with a history too short to learn anything, all bins are the formula's."""
        made = cls()
        kinds = sights(purchases, FOLDS)
        random = np.random.default_rng(seed)
        moments = [learning_moments(kind.cycles, MOMENTS, random) for kind in kinds]
        rows = [kind.rows(chosen) for kind, chosen in zip(kinds, moments, strict=True)]
        risks = list(zip([kind.cycles for kind in kinds], moments, rows, strict=True))
        prior = [prior_hazards(matrix, BIN_ENDS) for matrix in rows]
        made.boosters = [_learnt(risks, prior, number, seed) for number in range(len(BIN_ENDS))]
        return made

    def hazards(self, rows: Float, days: int = HORIZON_DAYS) -> Float:
        """Chance of a purchase in each bin if none came before, float32 [rows, bins]; `rows` as `Sight.rows` gives.

        Bins that begin after so many `days` are the formula's alone, which takes a fraction of the time.
        """
        hazard = prior_hazards(rows, BIN_ENDS)
        for number, booster in enumerate(self.boosters):
            if booster is not None and len(rows) and (0, *BIN_ENDS)[number] < days:
                rows[:, -1] = believed = _logit(hazard[:, number])
                raw = np.asarray(booster.predict(rows, raw_score=True, num_threads=1)) + believed
                hazard[:, number] = 1 / (1 + np.exp(-raw))
        return hazard

    def as_of(self, purchases: Purchases, customer: Int | None = None, days: int = HORIZON_DAYS) -> Outlooks:
        """What is to come after the last day of a history, which may be another than was learnt from.

        `customer` asks for these customers alone, codes in rising order; `days` as in `hazards`.
        """
        whole = sights(purchases, 1)
        parts: list[slice | Long] = [slice(*bounds) for bounds in customer_blocks(purchases)] if customer is None \
            else [lines_of(purchases, customer).row]  # fmt: skip
        blocks = [[(kind.cycles, self._now(kind, days)) for kind in seeing(whole, purchases, rows)] for rows in parts]
        kinds = [_joined([block[kind] for block in blocks], purchases) for kind in range(len(blocks[0]))]
        nothing = np.empty(0, np.int32)
        start = np.zeros(len(purchases.customers) + 1, np.int64)
        empty = Outlook(0, kinds[0].as_of_day, start, nothing, nothing, nothing, nothing,
                        np.empty((0, len(BIN_ENDS)), np.float32))  # fmt: skip
        return Outlooks(kinds[0], kinds[1] if len(kinds) > 1 else empty, purchases.catalog.finest)

    def _now(self, kind: Sight, days: int) -> Float:
        now = kind.cycles.now
        parts = [self.hazards(kind.rows(now.part(slice(begin, begin + CHUNK))), days)
                 for begin in range(0, len(now), CHUNK)]  # fmt: skip
        return np.concatenate([np.empty((0, len(BIN_ENDS)), np.float32), *parts])

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        learnt = [number for number, booster in enumerate(self.boosters) if booster is not None]
        save_json(folder, "repurchase", {"bin_ends": BIN_ENDS, "learnt": learnt})
        for number in learnt:
            booster = self.boosters[number]
            assert booster is not None
            (folder / f"bin_{number}.txt").write_text(booster.model_to_string(), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Reopen what `save` wrote. Raises BundleError when a file is missing, damaged or of other bins."""
        content = open_json(folder, "repurchase")
        if tuple(content["bin_ends"]) != BIN_ENDS:
            raise BundleError(f"{folder} holds other bins of days than this version knows: train and release again")
        opened = cls()
        opened.boosters = [None] * len(BIN_ENDS)
        for number in content["learnt"]:
            path = folder / f"bin_{number}.txt"
            try:
                opened.boosters[number] = lgb.Booster(model_str=path.read_text("utf-8"))
            except (OSError, lgb.basic.LightGBMError) as fault:
                raise BundleError(f"{path} is missing or damaged ({fault}): train and release again") from fault
        return opened


def _learnt(
    risks: list[tuple[Cycles, Moments, Float]], prior: list[Float], number: int, seed: int
) -> lgb.Booster | None:
    """The trees of one bin."""
    low, high = (0, *BIN_ENDS)[number], BIN_ENDS[number]
    found = [at_risk(cycles, moments, low, high) for cycles, moments, _ in risks]
    bought = np.concatenate([np.empty(0, bool), *(label for _, label in found)])
    purchases = sum(
        len(np.unique(moments.event[at[label]])) for (_, moments, _), (at, label) in zip(risks, found, strict=True)
    )
    if min(purchases, (~bought).sum()) < LEAST_PURCHASES:
        return None
    rows = np.concatenate([matrix[at] for (_, _, matrix), (at, _) in zip(risks, found, strict=True)])
    rows[:, -1] = start = _logit(
        np.concatenate([believed[at, number] for believed, (at, _) in zip(prior, found, strict=True)])
    )
    data = lgb.Dataset(rows, bought.astype(np.int8), init_score=start,
                       params={"max_bin": PARAMETERS["max_bin"], "verbosity": -1})  # fmt: skip
    return lgb.train({**PARAMETERS, "seed": seed}, data, num_boost_round=TREES if high <= WEEK_DAYS else FAR_TREES)


def _logit(chance: Float) -> Float:
    return np.asarray(np.log(chance / (1 - chance)), np.float32)


def _joined(blocks: list[tuple[Cycles, Float]], purchases: Purchases) -> Outlook:
    cycles = [part for part, _ in blocks]
    customer = np.concatenate([part.customer for part in cycles])
    start = np.searchsorted(customer, np.arange(len(purchases.customers) + 1)).astype(np.int64)
    last: list[Long] = [part.start[1:] - 1 for part in cycles]
    return Outlook(
        cycles[0].things, cycles[0].as_of_day, start, np.concatenate([part.thing for part in cycles]),
        np.concatenate([part.day[part.start[:-1]] for part in cycles]),
        np.concatenate([part.day[at] for part, at in zip(cycles, last, strict=True)]),
        np.concatenate([np.diff(part.start) for part in cycles]).astype(np.int32),
        np.concatenate([hazard for _, hazard in blocks]),
    )  # fmt: skip
