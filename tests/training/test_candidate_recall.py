"""Shares of the truth by source, where every pair's sources are written by hand."""

from datetime import timedelta

import numpy as np
import pytest

from models.candidates import SOURCES, Candidates
from models.settings import RecommendSettings
from tests.fixtures.hand_history import START, history
from training.candidate_recall import candidate_figures, mean_figures
from training.recommend_question import Question

OWN, POPULAR = 1 << SOURCES.index("own"), 1 << SOURCES.index("popular")


def question() -> Question:
    """h buys again a (owned); b and c of others; and new, which nobody sold before."""
    bought = {("h", "a"): [1, 12], ("other", "b"): [1], ("other", "c"): [1], ("h", "b"): [12], ("h", "c"): [12],
              ("h", "new"): [12]}  # fmt: skip
    later, cutoff = history(bought, 20), START + timedelta(days=10)
    base = Question.of_nobody(cutoff, later.until(cutoff - timedelta(days=1)), RecommendSettings())
    return base.about(later, later.day > base.history.day.max())


def found(*entries: tuple[int, int]) -> Candidates:
    """Candidates of the one query: (product, sources)."""
    product, source = (np.array(column, np.int32) for column in zip(*entries, strict=True))
    return Candidates(np.zeros(len(entries), np.int32), product, source, np.empty((len(entries), 0), np.float32))


def test_each_source_is_credited_with_what_it_proposed_and_what_only_it_proposed() -> None:
    figures = candidate_figures(question(), found((0, OWN | POPULAR), (1, POPULAR)))
    assert figures["all"]["any"] == {"found": 0.5, "candidates": 2.0}
    assert figures["all"]["own"] == {"found": 0.25, "only": 0.0, "candidates": 1.0}
    assert figures["all"]["popular"] == {"found": 0.5, "only": 0.25, "candidates": 2.0}
    assert figures["repeat"]["any"]["found"] == 1
    assert figures["explore"]["popular"]["only"] == pytest.approx(1 / 3)


def test_where_nothing_is_proposed_nothing_is_found() -> None:
    nothing = Candidates(*(np.empty(0, np.int32),) * 3, np.empty((0, 0), np.float32))
    assert candidate_figures(question(), nothing)["all"]["any"] == {"found": 0, "candidates": 0}


def test_weeks_are_averaged() -> None:
    weeks = [candidate_figures(question(), found(*entries)) for entries in ([(0, OWN)], [(0, OWN), (1, OWN), (2, OWN)])]
    assert mean_figures(weeks)["all"]["own"]["found"] == 0.5
