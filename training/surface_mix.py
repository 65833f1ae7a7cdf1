"""What a mix of for-you costs: accuracy against products never bought before and against variety of categories."""

from collections.abc import Sequence
from datetime import date
from itertools import product as every_pair
from typing import Any

import numpy as np

from features.history import Int
from features.progress import Progress, silent
from models.contracts import Recommender, Scored
from models.mix import DEPTH, mixed, strange
from models.ranking import one_after_another
from models.recommenders import make_recommender
from models.settings import RecommendSettings
from training.recommend_metrics import hit_matrix, measure
from training.recommend_question import Question, ask
from training.surface_week import PLACES, Load

EXPLORE_SHARES = (0.0, 0.2, 0.3, 0.5, 0.7)
MOST_PER_CATEGORY = (0, 3, 2, 1)


def mix_figures(
    load: Load, weeks: Sequence[date], settings: RecommendSettings, progress: Progress = silent
) -> tuple[list[dict[str, Any]], str]:
    """The trade-off of the settings' recommender over the weeks that begin on these days, and its table in Markdown.

    Per explore_share and most_per_category: NDCG@10 and hit@10 of what each customer bought in the week, NDCG@10 of
    what it had never bought, the share of the named products that it had never bought, and diversity, which is the
    share of pairs of named products that have different narrowest categories. Means over the weeks' customers.
    """
    grid = list(every_pair(EXPLORE_SHARES, MOST_PER_CATEGORY))
    gathered: dict[tuple[float, int], list[dict[str, float]]] = {point: [] for point in grid}
    with progress.step("mix of for-you", len(weeks)) as step:
        for cutoff in weeks:
            question = ask(load, cutoff, settings)
            model = make_recommender(settings.recommender, settings).fit(question.history)
            deep = _deep(question, model)
            for point in grid:
                gathered[point].append(_measured(question, deep, _set(settings, point)))
            step.advance()
    rows = [
        {"explore_share": share, "most_per_category": most}
        | {name: float(np.mean([week[name] for week in parts])) for name in parts[0]}
        for (share, most), parts in gathered.items() if parts
    ]  # fmt: skip
    return rows, _table(rows)


def _set(settings: RecommendSettings, point: tuple[float, int]) -> RecommendSettings:
    return settings.model_copy(update={"explore_share": point[0], "most_per_category": point[1]})


def _deep(question: Question, model: Recommender) -> Scored:
    """What surfaces mix: the ranked list, then what was never bought, then what is popular."""
    limit, unbought = PLACES * DEPTH, strange(question.queries, question.owned)
    lists = [model.score(question.queries, limit), model.score(unbought, limit),
             question.popular.score(unbought, limit), question.popular.score(question.queries, limit)]  # fmt: skip
    return one_after_another(lists, question.products, limit * len(lists))[0]


def _measured(question: Question, deep: Scored, settings: RecommendSettings) -> dict[str, float]:
    customer, category = question.queries.customer, question.history.catalog.finest
    new = question.owned.find(customer[deep.query], deep.product) < 0
    shown = mixed(deep, new, category[deep.product], PLACES, settings)
    answer = Scored(deep.query[shown], deep.product[shown], deep.score[shown])
    never = question.owned.find(customer[question.truth_query], question.truth_product) < 0
    whole = _metrics(question, answer, np.ones(len(never), bool), question.truth_count)
    strange = np.bincount(question.truth_query[never], minlength=len(question)).astype(np.int32)
    explored = _metrics(question, answer, never, strange)
    return {
        "ndcg@10": whole["ndcg@10"], "hit@10": whole["hit@10"], "explore ndcg@10": explored["ndcg@10"],
        "new share": float(new[shown].mean()), "diversity": _diversity(answer.query, category[answer.product]),
    }  # fmt: skip


def _metrics(question: Question, answer: Scored, kept: Any, counts: Int) -> dict[str, float]:
    hits = hit_matrix(answer, question.truth_query[kept], question.truth_product[kept], len(question), PLACES,
                      question.products)  # fmt: skip
    asked = counts > 0
    return {name: float(value.mean()) for name, value in measure(hits[asked], counts[asked]).items()}


def _diversity(query: Int, category: Int) -> float:
    """Mean over the lists of the share of pairs with different categories; a product without one differs from all.

    >>> _diversity(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 2, -1, -1]))
    0.8333333333333334
    """
    sizes = np.bincount(query)
    held = category >= 0
    _, counts = np.unique(np.stack([query[held], category[held]]), axis=1, return_counts=True)
    which = np.unique(np.stack([query[held], category[held]]), axis=1)[0]
    same = np.bincount(which, counts * (counts - 1) / 2, minlength=len(sizes))
    lists = sizes > 1
    return float(np.mean(1 - same[lists] / (sizes[lists] * (sizes[lists] - 1) / 2)))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """One line per point of the grid."""
    if not rows:
        return ""
    lines = [tuple(rows[0]), ("---",) * len(rows[0])]
    lines += [tuple(f"{value:.3f}" if isinstance(value, float) and name != "explore_share" else str(value)
                    for name, value in row.items()) for row in rows]  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
