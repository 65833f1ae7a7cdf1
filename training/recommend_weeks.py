"""All that is judged of recommenders at some cut-offs, while each method is fitted once per cut-off."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from features.history import Ids, Purchases
from features.progress import Progress, silent
from models.contracts import Bools, Queries, Recommender, Scored
from models.ranker import Ranker
from models.ranking import one_after_another, pairs
from models.settings import RecommendSettings
from training.beyond_accuracy import Shelf, list_figures, overlap
from training.candidate_recall import Figures, candidate_figures
from training.chance_calibration import Told
from training.household_scores import Week
from training.next_basket import AHEAD_DAYS, first_baskets
from training.recommend_backtest import fitted
from training.recommend_lists import Answers, answers_of, measured
from training.recommend_question import Question, ask

PLACES = (5, 10, 20)
SHOWN = 10  # places of the lists whose nature is told
BOUGHT = "what they bought"
Load = Callable[[date], Purchases]


@dataclass(frozen=True)
class Shown:
    """The lists of one cut-off by method, SHOWN places each; queries number `households`, of which some were known."""

    cutoff: date
    households: list[str]
    known: Bools
    products: Ids
    lists: dict[str, Scored]


@dataclass
class Judged:
    """weeks    metrics of the next week's purchases, by household
    baskets     likewise of the first basket after each cut-off
    candidates  recall of the ranker's first stage, one entry per cut-off
    chances     the ranker's, and whether they came true, of products owned and of others
    beyond      figures of the lists by method, one entry per cut-off; BOUGHT: of the purchases themselves
    shown       the lists of the last cut-off
    """

    weeks: list[Week] = field(default_factory=list)
    baskets: list[Week] = field(default_factory=list)
    candidates: list[Figures] = field(default_factory=list)
    chances: dict[str, Told] = field(default_factory=lambda: {"owned": Told.nothing(), "never bought": Told.nothing()})
    beyond: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    shown: Shown | None = None


def judge_weeks(
    load: Load, cutoffs: Sequence[date], settings: RecommendSettings, names: Iterable[str], progress: Progress = silent
) -> Judged:
    """Fit every method at each cut-off and keep what is measured; models and lists are let go.

    `load` gives the history as of a day. Raises HistoryError as `ask` does.
    """
    judged, methods = Judged(), list(names)
    with progress.step("recommenders", len(cutoffs) * len(methods)) as step:
        for cutoff in cutoffs:
            question = ask(load, cutoff, settings)
            baskets = first_baskets(question, load(cutoff + timedelta(days=AHEAD_DAYS - 1)))
            shown = _begin(judged, question, baskets)
            shelf = Shelf.of(question.history)
            bought = list_figures(question.truth_query, question.truth_product, shelf)
            judged.beyond.setdefault(BOUGHT, []).append(bought)
            for name, model in fitted(methods, question.history, settings):
                answers = answers_of(question, model, settings, max(PLACES))
                judged.weeks[-1].add(name, measured(question, answers.lists, PLACES))
                if len(baskets):
                    judged.baskets[-1].add(name, measured(baskets, {"all": filled(baskets, model)}, PLACES))
                top = shown[name] = answers.lists["all"].top(SHOWN)
                judged.beyond.setdefault(name, []).append(list_figures(top.query, top.product, shelf))
                if isinstance(model, Ranker):
                    judged.candidates.append(candidate_figures(question, model.candidates(question.queries)))
                    _add_chances(judged.chances, question, answers)
                step.advance()
    return judged


def _begin(judged: Judged, question: Question, baskets: Question) -> dict[str, Scored]:
    """Make room for a cut-off; returns the lists to be filled in."""
    groups = question.customer_groups() | question.shop_groups()
    judged.weeks.append(Week(question.cutoff, question.households, groups))
    judged.baskets.append(Week(question.cutoff, baskets.households))
    known = question.queries.customer >= 0
    judged.shown = Shown(question.cutoff, question.households, known, question.history.products, {})
    return judged.shown.lists


def filled(question: Question, model: Recommender, places: int = max(PLACES)) -> Scored:
    """The method's lists as shown: filled up with what is popular."""
    lists = [model.score(question.queries, places), question.popular.score(question.queries, places)]
    return one_after_another(lists, question.products, places)[0]


def _add_chances(chances: dict[str, Told], question: Question, answers: Answers) -> None:
    """The chance of every candidate of everyone asked about: all of them buy something in the window."""
    said = answers.whole
    truth = pairs(question.truth_query, question.truth_product, question.products)
    bought = np.isin(pairs(said.query, said.product, question.products), truth)
    owned = question.owned.find(question.queries.customer[said.query], said.product) >= 0
    for name, part in (("owned", owned), ("never bought", ~owned)):
        chances[name].add(said.score[part], bought[part])


def stability(shown: Shown, load: Load, settings: RecommendSettings, names: Iterable[str]) -> dict[str, float]:
    """Share of the first SHOWN places that the same household is shown again a week later, all learnt anew."""
    cutoff = shown.cutoff + timedelta(days=7)
    later = Question.of_nobody(cutoff, load(cutoff - timedelta(days=1)), settings)
    customer = later.history.customers.codes(shown.households)
    known = np.flatnonzero(shown.known & (customer >= 0))
    customer = customer[known]
    again = replace(later, queries=Queries.of_customers(customer, later.customers.home_location[customer]))
    code = later.history.products.codes(shown.products.values)
    place = np.full(len(shown.households), -1, np.int32)
    place[known] = np.arange(len(known))
    shares = {}
    for name, model in fitted(names, later.history, settings):
        before = shown.lists[name]
        kept = place[before.query] >= 0
        moved = Scored(place[before.query[kept]], code[before.product[kept]], before.score[kept])
        shares[name] = float(overlap(moved, filled(again, model, SHOWN), again.products, SHOWN).mean())
    return shares
