"""The lists that a recommender gives to everyone asked about, and how good each is, household by household."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.history import Float
from models.contracts import Bools, Recommender, Scored, ranked
from models.ranker import Ranker
from models.ranking import one_after_another
from models.settings import RecommendSettings
from training.recommend_metrics import hit_matrix, measure
from training.recommend_question import Question

DEEP = 500  # places of a list that are searched for products bought before
PARTS = ("all", "repeat", "explore")
Measured = dict[tuple[str, str], Float]  # (part, metric@k) → one value per household, NaN where nothing was to be found


@dataclass(frozen=True)
class Answers:
    """What one method says at one cut-off.

    whole  its own ranking, deep, without any filling up
    lists  by part, as shown: filled up with what is popular. repeat and explore restrict the candidates to products
           that the customer bought before, or never
    """

    whole: Scored
    lists: dict[str, Scored]


def answers_of(question: Question, model: Recommender, settings: RecommendSettings, places: int) -> Answers:
    """Ask a fitted model about everyone. The ranker ranks as many candidates as it does when it serves."""
    deep = max(settings.candidates, places) if isinstance(model, Ranker) else DEEP
    whole = model.score(question.queries, deep)
    popular = question.popular.score(question.queries, places)
    return Answers(whole, {
        "all": one_after_another([whole, popular], question.products, places)[0],
        "repeat": _repeat_list(question, whole, places),
        "explore": _explore_list(question, model, places),
    })  # fmt: skip


def measured(question: Question, lists: dict[str, Scored], places: Sequence[int]) -> Measured:
    """Every metric at every k of `places`, of each list by part."""
    bought = question.repeats()
    kept = {"all": np.ones(len(bought), bool), "repeat": bought, "explore": ~bought}
    repeats = np.bincount(question.truth_query[bought], minlength=len(question)).astype(np.int32)
    counts = {"all": question.truth_count, "repeat": repeats, "explore": question.truth_count - repeats}
    values: Measured = {}
    for part, answer in lists.items():
        keep, asked = kept[part], counts[part] > 0
        hits = hit_matrix(answer, question.truth_query[keep], question.truth_product[keep], len(question), max(places),
                          question.products)  # fmt: skip
        for k in places:
            for metric, value in measure(hits[asked, :k], counts[part][asked]).items():
                values[part, metric] = np.full(len(question), np.nan, np.float32)
                values[part, metric][asked] = value
    return values


def _repeat_list(question: Question, whole: Scored, places: int) -> Scored:
    """The method's list without products that the customer never bought, then the rest of its own by popularity."""
    queries, owned = question.queries, question.owned
    own: Bools = owned.find(queries.customer[whole.query], whole.product) >= 0
    kept = Scored(whole.query[own], whole.product[own], whole.score[own])
    query, entry = owned.entries(queries.customer)
    share: Float = question.popular.share().astype(np.float32)
    rest = ranked(query, owned.product[entry], share[owned.product[entry]])
    return one_after_another([kept, rest], question.products, places)[0]


def _explore_list(question: Question, model: Recommender, places: int) -> Scored:
    """The method's list when all that the customer bought before is excluded."""
    query, entry = question.owned.entries(question.queries.customer)
    counts = np.bincount(query, minlength=len(question))
    own = np.split(question.owned.product[entry], np.cumsum(counts)[:-1])
    strange = replace(question.queries, excluded=tuple(own))
    lists = [model.score(strange, places), question.popular.score(strange, places)]
    return one_after_another(lists, question.products, places)[0]
