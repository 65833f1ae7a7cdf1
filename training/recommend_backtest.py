"""Backtest of recommenders: who buys what in the next days, asked with what was known the day before.

For each cut-off (the first day of the target window) every method learns from the history up to the day
before; each customer active in the window is asked about, and its truth is what it buys in the window. The
whole catalogue sold so far is ranked; products first sold in the window stay in the truth, where nobody can
hit them. Lists that a method cannot fill are filled up with what is popular, as surfaces do.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from features.customers import Customers, Owned, customers_of, owned_of
from features.errors import HistoryError
from features.history import Float, Int, Purchases, day_number
from features.progress import Progress, silent
from models.contracts import Bools, Queries, Recommender, Scored, ranked
from models.popular import Popular
from models.ranker import Ranker
from models.ranking import one_after_another, pairs
from models.recommenders import make_recommender
from models.settings import RecommendSettings
from training.recommend_metrics import bootstrap_intervals, hit_matrix, measure
from training.scoreboard import Score, Scoreboard
from training.verdict import BASELINES

PLACES = 10
DEEP = 500  # places of a list that are searched for products bought before


@dataclass(frozen=True)
class Question:
    """Who is asked about at one cut-off, and what they then bought.

    `truth_query`, `truth_product` are pairs of products known before the cut-off; `truth_count` counts all.
    """

    cutoff: date
    history: Purchases
    queries: Queries
    truth_query: Int
    truth_product: Int
    truth_count: Int
    popular: Popular
    customers: Customers
    owned: Owned

    @property
    def products(self) -> int:
        return len(self.history.products)

    def __len__(self) -> int:
        return len(self.queries)


def backtest_recommend(
    load: Callable[[date], Purchases],
    cutoffs: Sequence[date],
    settings: RecommendSettings,
    names: Iterable[str],
    progress: Progress = silent,
) -> Scoreboard:
    """Judge the named recommenders, and the baselines with them, at each cut-off.

    `load` gives the history as of a day. Segments: all; repeat and explore (truth and candidates restricted to
    products that the customer bought before, or never); customers cold (no order before), light and heavy
    (below, or at and above, the median number of orders). Intervals are 95 % over customers. Raises HistoryError
    when a cut-off has no known customer to ask about.
    """
    methods = list(dict.fromkeys((*BASELINES["recommend"], *names)))
    scores: list[Score] = []
    asked: dict[str, int] = {}
    with progress.step("recommend backtest", len(cutoffs) * len(methods)) as step:
        for cutoff in cutoffs:
            question = ask(load, cutoff, settings)
            asked[cutoff.isoformat()] = len(question)
            ranker: Recommender | None = None
            for name in sorted(methods, key=lambda name: name != "ranker"):  # its sources are the others
                model = _fitted(name, question.history, settings, ranker)
                ranker = model if isinstance(model, Ranker) else ranker
                scores += _judge(question, name, model, settings)
                step.advance()
    order = {name: place for place, name in enumerate(methods)}
    scores.sort(key=lambda score: (score.cutoff, order[score.method]))
    facts = {
        "target_days": settings.target_days, "customers": asked, "settings": settings.model_dump(mode="json"),
        "filled_up_with": "popular, at the customer's usual location",
    }  # fmt: skip
    return Scoreboard(tuple(scores), facts)


def ask(load: Callable[[date], Purchases], cutoff: date, settings: RecommendSettings) -> Question:
    """Everyone active in the target window, as known the day before it begins."""
    history = load(cutoff - timedelta(days=1))
    window = load(cutoff + timedelta(days=settings.target_days - 1))
    rows = (window.day >= day_number(cutoff)) & (window.customer >= 0)
    if not rows.any() or not len(history.customers):
        raise HistoryError(
            f"no known customer bought in the {settings.target_days} days from {cutoff}, or none before: choose an "
            "earlier --cutoffs, or map the customers' accounts (channel_customer_id) in the recipe"
        )
    bought = np.unique(pairs(window.customer[rows], window.product[rows], len(window.products)))
    active, query = np.unique(bought // len(window.products), return_inverse=True)
    product = history.products.codes(window.products.values)[bought % len(window.products)]
    customer = history.customers.codes([window.customers[code] for code in active.tolist()])
    customers = customers_of(history, settings.half_life_days)
    home = np.where(customer >= 0, customers.home_location[np.maximum(customer, 0)], -1).astype(np.int32)
    known = product >= 0
    return Question(
        cutoff=cutoff,
        history=history,
        queries=Queries.of_customers(customer, home),
        truth_query=query[known].astype(np.int32),
        truth_product=product[known],
        truth_count=np.bincount(query, minlength=len(active)).astype(np.int32),
        popular=Popular(settings).fit(history),
        customers=customers,
        owned=owned_of(history, settings.half_life_days),
    )


def _fitted(name: str, history: Purchases, settings: RecommendSettings, ranker: Recommender | None) -> Recommender:
    if isinstance(ranker, Ranker) and name in ranker.proposers.models:
        fitted: Recommender = ranker.proposers.models[name]
        return fitted
    return make_recommender(name, settings).fit(history)


def _judge(question: Question, name: str, model: Recommender, settings: RecommendSettings) -> list[Score]:
    """Every metric of a method in every segment."""
    queries, everyone = question.queries, np.ones(len(question), bool)
    whole = model.score(queries, DEEP)
    bought = question.owned.find(queries.customer[question.truth_query], question.truth_product) >= 0
    lists = {
        "all": one_after_another([whole, question.popular.score(queries, PLACES)], question.products, PLACES)[0],
        "repeat": _repeat_list(question, whole),
        "explore": _explore_list(question, model),
    }
    kept = {"all": np.ones(len(bought), bool), "repeat": bought, "explore": ~bought}
    repeats = np.bincount(question.truth_query[bought], minlength=len(question)).astype(np.int32)
    counts = {"all": question.truth_count, "repeat": repeats, "explore": question.truth_count - repeats}
    scores = []
    for part, answer in lists.items():
        keep = kept[part]
        hits = hit_matrix(answer, question.truth_query[keep], question.truth_product[keep], len(question), PLACES,
                          question.products)  # fmt: skip
        groups = {part: everyone} if part != "all" else {"all": everyone, **_customer_groups(question)}
        for segment, members in groups.items():
            at = members & (counts[part] > 0)
            scores += _measured(question.cutoff, name, segment, hits[at], counts[part][at], settings.seed)
    if isinstance(model, Ranker):
        scores.append(_candidate_recall(question, model))
    return scores


def _repeat_list(question: Question, whole: Scored) -> Scored:
    """The method's list without products that the customer never bought, then the rest of its own by popularity."""
    queries, owned = question.queries, question.owned
    own = owned.find(queries.customer[whole.query], whole.product) >= 0
    kept = Scored(whole.query[own], whole.product[own], whole.score[own])
    query, entry = owned.entries(queries.customer)
    share: Float = question.popular.share().astype(np.float32)
    rest = ranked(query, owned.product[entry], share[owned.product[entry]])
    return one_after_another([kept, rest], question.products, PLACES)[0]


def _explore_list(question: Question, model: Recommender) -> Scored:
    """The method's list when all that the customer bought before is excluded."""
    query, entry = question.owned.entries(question.queries.customer)
    counts = np.bincount(query, minlength=len(question))
    own = np.split(question.owned.product[entry], np.cumsum(counts)[:-1])
    strange = replace(question.queries, excluded=tuple(own))
    lists = [model.score(strange, PLACES), question.popular.score(strange, PLACES)]
    return one_after_another(lists, question.products, PLACES)[0]


def _customer_groups(question: Question) -> dict[str, Bools]:
    customer = question.queries.customer
    baskets = np.where(customer >= 0, question.customers.baskets[np.maximum(customer, 0)], 0)
    known = baskets > 0
    middle = np.median(baskets[known]) if known.any() else 0
    return {"cold": ~known, "light": known & (baskets < middle), "heavy": known & (baskets >= middle)}


def _measured(cutoff: date, method: str, segment: str, hits: Bools, count: Int, seed: int) -> list[Score]:
    if not len(count):
        return []
    values = measure(hits, count)
    low, high = bootstrap_intervals(np.stack(list(values.values()), axis=1), seed)
    return [
        Score(cutoff, method, segment, metric, float(value.mean()), float(low[i]), float(high[i]))
        for i, (metric, value) in enumerate(values.items())
    ]


def _candidate_recall(question: Question, model: Ranker) -> Score:
    """Share of all truth, strangers' and new products included, that the first stage proposes at all."""
    found = model.candidates(question.queries)
    truth = pairs(question.truth_query, question.truth_product, question.products)
    hits = np.isin(truth, pairs(found.query, found.product, question.products)).sum()
    return Score(question.cutoff, "ranker", "all", "candidate_recall", float(hits / question.truth_count.sum()))
