from datetime import date

import pytest

from training.printing import print_scores, print_segments
from training.scoreboard import Score, Scoreboard
from training.verdict import verdicts

FIRST, SECOND = date(2024, 4, 1), date(2024, 4, 8)


def board(metric: str, **values: float) -> Scoreboard:
    return Scoreboard(tuple(Score(FIRST, method, "all", metric, value) for method, value in values.items()))


def test_a_recommender_that_beats_the_best_baseline_is_said_to_and_by_how_much():
    assert verdicts("recommend", board("recall@10", popular=0.1, personal=0.2, ranker=0.25)) == [
        "ranker beats popular and personal (how much better than the best of them: recall@10 +25.0%)"
    ]


def test_beating_only_the_weaker_baseline_is_not_beating_them():
    assert verdicts("recommend", board("recall@10", popular=0.1, personal=0.2, als=0.15)) == [
        "als does not beat popular and personal (against the best of them: recall@10 -25.0%)"
    ]


def test_a_lower_error_is_better_and_what_is_lost_is_said_beside_what_is_won():
    scores = (*board("wape", moving_average=1.0, seasonal_naive=0.8, tsb=0.6).scores,
              *board("rmsse", moving_average=0.5, seasonal_naive=0.9, tsb=0.6).scores)  # fmt: skip
    assert verdicts("forecast", Scoreboard(scores)) == [
        "tsb beats moving_average and seasonal_naive on wape +25.0%, but not on rmsse -20.0%"
    ]


def test_without_a_baseline_nothing_is_claimed():
    (line,) = verdicts("forecast", board("wape", tsb=0.6))
    assert line.startswith("no baseline was judged: --methods moving_average,seasonal_naive")


def test_a_printed_backtest_shows_intervals_segments_and_who_wins(capsys: pytest.CaptureFixture[str]):
    scores = [
        Score(cutoff, method, segment, "recall@10", value, value - 0.03, value + 0.01)
        for cutoff in (FIRST, SECOND)
        for segment in ("all", "repeat")
        for method, value in (("popular", 0.1), ("ranker", 0.25))
    ]
    print_scores("recommend", Scoreboard(tuple(scores)))
    print_segments("recommend", Scoreboard(tuple(scores)))
    said = capsys.readouterr().out
    assert "0.2500 ±0.020 *" in said
    assert "recall@10 by segment" in said
    assert "repeat" in said
    assert "ranker beats popular (" in said


def test_the_figures_of_each_cutoff_are_kept_apart():
    scores = (Score(FIRST, "tsb", "all", "wape", 0.5), Score(SECOND, "tsb", "horizon 1-7", "wape", 0.7))
    assert Scoreboard(scores).flat_by_cutoff("tsb") == {FIRST: {"wape": 0.5}, SECOND: {"wape.horizon_1-7": 0.7}}
