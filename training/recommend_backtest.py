"""Backtest of recommenders: who buys what in the next days, asked with what was known the day before.

For each cut-off (the first day of the target window) every method learns from the history up to the day
before; each customer active in the window is asked about, and its truth is what it buys in the window. The
whole catalogue sold so far is ranked; products first sold in the window stay in the truth, where nobody can
hit them. Lists that a method cannot fill are filled up with what is popular, as surfaces do.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

import numpy as np

from features.history import Purchases
from features.progress import Progress, silent
from models.contracts import Recommender
from models.ranker import Ranker
from models.ranking import pairs
from models.recommenders import make_recommender
from models.settings import RecommendSettings
from training.recommend_lists import PARTS, Measured, answers_of, measured
from training.recommend_metrics import METRICS, bootstrap_intervals
from training.recommend_question import Question, ask
from training.scoreboard import Score, Scoreboard
from training.verdict import BASELINES

PLACES = 10


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
            for name, model in fitted(methods, question.history, settings):
                lists = answers_of(question, model, settings, PLACES).lists
                scores += _scores(question, name, measured(question, lists, [PLACES]), settings.seed)
                if isinstance(model, Ranker):
                    scores.append(_candidate_recall(question, model))
                step.advance()
    order = {name: place for place, name in enumerate(methods)}
    scores.sort(key=lambda score: (score.cutoff, order[score.method]))
    facts = {
        "target_days": settings.target_days, "customers": asked, "settings": settings.model_dump(mode="json"),
        "filled_up_with": "popular, at the customer's usual location",
    }  # fmt: skip
    return Scoreboard(tuple(scores), facts)


def fitted(names: Iterable[str], history: Purchases, settings: RecommendSettings) -> Iterator[tuple[str, Recommender]]:
    """Fit the named recommenders one after another; what the ranker fitted as a source is not fitted again."""
    sources: dict[str, Recommender] = {}
    for name in sorted(names, key=lambda name: name != "ranker"):
        model = sources.get(name) or make_recommender(name, settings).fit(history)
        if isinstance(model, Ranker):
            sources = model.proposers.models
        yield name, model


def _scores(question: Question, name: str, values: Measured, seed: int) -> list[Score]:
    """The mean of every metric in every segment, with its interval."""
    everyone = np.ones(len(question), bool)
    groups = {part: {part: everyone} for part in PARTS}
    groups["all"] |= question.customer_groups()
    scores = []
    for part, segments in groups.items():
        metrics = [f"{metric}@{PLACES}" for metric in METRICS]
        columns = np.stack([values[part, metric] for metric in metrics], axis=1).astype(np.float64)
        asked = ~np.isnan(columns[:, 0])
        for segment, members in segments.items():
            rows = columns[members & asked]
            if not len(rows):
                continue
            low, high = bootstrap_intervals(rows, seed)
            scores += [Score(question.cutoff, name, segment, metric, *map(float, bounds))
                       for metric, *bounds in zip(metrics, rows.mean(axis=0), low, high, strict=True)]  # fmt: skip
    return scores


def _candidate_recall(question: Question, model: Ranker) -> Score:
    """Share of all truth, strangers' and new products included, that the first stage proposes at all."""
    found = model.candidates(question.queries)
    truth = pairs(question.truth_query, question.truth_product, question.products)
    hits = np.isin(truth, pairs(found.query, found.product, question.products)).sum()
    return Score(question.cutoff, "ranker", "all", "candidate_recall", float(hits / question.truth_count.sum()))
