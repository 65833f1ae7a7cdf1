"""How much of what is bought the first stage proposes, and which source of candidates proposes it."""

import numpy as np
import numpy.typing as npt

from features.history import Int
from models.candidates import SOURCES, Candidates
from models.contracts import Bools
from models.ranking import pairs
from training.recommend_question import Question

Figures = dict[str, dict[str, dict[str, float]]]


def candidate_figures(question: Question, found: Candidates) -> Figures:
    """By part (all, repeat, explore): shares of all pairs of the truth, strangers and new products included.

    Under "any", `found` is what is among the candidates; under a source, `found` is what it proposed of them and `only`
    what no other source proposed. Of the candidates themselves, `candidates` is how many a household has on average.
    """
    source, repeat = _proposed(question, found), question.repeats()
    counts = {"all": int(question.truth_count.sum()), "repeat": int(repeat.sum())}
    counts["explore"] = counts["all"] - counts["repeat"]
    rows: dict[str, Bools] = {"all": np.ones(len(repeat), bool), "repeat": repeat, "explore": ~repeat}
    size = max(len(question), 1)
    figures: Figures = {}
    for part, kept in rows.items():
        bits, count = source[kept], max(counts[part], 1)
        figures[part] = {"any": {"found": float((bits > 0).sum() / count)}}
        for number, name in enumerate(SOURCES):
            bit = 1 << number
            figures[part][name] = {"found": float(((bits & bit) > 0).sum() / count),
                                   "only": float((bits == bit).sum() / count)}  # fmt: skip
    figures["all"]["any"]["candidates"] = len(found) / size
    for number, name in enumerate(SOURCES):
        figures["all"][name]["candidates"] = float(((found.source & (1 << number)) > 0).sum() / size)
    return figures


def _proposed(question: Question, found: Candidates) -> npt.NDArray[np.int32]:
    """The sources of each pair of the truth, 0 where none proposed it."""
    truth = pairs(question.truth_query, question.truth_product, question.products)
    key = pairs(found.query, found.product, question.products)
    sources: Int = np.append(found.source, 0).astype(np.int32)
    place = np.minimum(np.searchsorted(key, truth), max(len(key) - 1, 0))
    there = key[place] == truth if len(key) else np.zeros(len(truth), bool)
    return np.where(there, sources[place], 0).astype(np.int32)


def mean_figures(weeks: list[Figures]) -> Figures:
    """The mean over weeks of every figure."""
    return {part: {source: {name: float(np.mean([week[part][source][name] for week in weeks])) for name in named}
                   for source, named in sources.items()}
            for part, sources in weeks[0].items()}  # fmt: skip
