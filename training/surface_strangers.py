"""Backtest of for-you without a customer: what is popular at the place, against what is popular everywhere."""

import numpy as np

from features.history import Int
from models.popular import Popular
from models.ranking import pairs
from models.settings import RecommendSettings
from training.recommend_metrics import hit_matrix, measure
from training.surface_baskets import Values
from training.surface_week import PLACES, Week, asked


def stranger_values(week: Week, settings: RecommendSettings) -> Values:
    """NDCG@10 and hit@10 of what customers buy in the week, asked at the location of their first order in it.

    cold are customers without any order before; everyone are all of the week's, asked as if they were strangers.
    """
    window = week.window
    rows = week.rows[window.customer[week.rows] >= 0]
    customer, first, query = np.unique(window.customer[rows], return_index=True, return_inverse=True)
    product = week.column("product", rows)
    bought = np.unique(pairs(query[product >= 0].astype(np.int32), product[product >= 0], len(week.history.products)))
    truth = tuple((part).astype(np.int32) for part in np.divmod(bought, len(week.history.products)))
    counts = np.bincount(query, minlength=len(customer)).astype(np.int32)
    cold = week.column("customer", rows[first]) < 0
    popular, location = Popular(settings).fit(week.history), week.column("location", rows[first])
    places = {"popular with back-off": location, "popular everywhere": np.full(len(location), -1, np.int32)}
    values: Values = {}
    for name, where in places.items():
        said = _measured(popular, where, truth, counts)
        for group, members in (("cold", cold), ("everyone", np.ones(len(cold), bool))):
            values |= {(group, name, metric): said[metric][members] for metric in ("hit@10", "ndcg@10")}
    return values


def _measured(popular: Popular, location: Int, truth: tuple[Int, ...], counts: Int) -> dict[str, np.ndarray]:
    answer = popular.score(asked(np.full(len(location), -1, np.int32), location), PLACES)
    hits = hit_matrix(answer, truth[0], truth[1], len(location), PLACES, len(popular.purchases.products))
    return {metric: value.astype(np.float64) for metric, value in measure(hits, counts).items()}
