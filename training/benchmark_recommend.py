"""The long measurements of recommendations: next week, next basket, cost, timing; each gives figures and tables.

`load` gives the history as of a day. Cut-offs and methods are arguments, so that a single development week can be
judged like the test weeks: `python -m training.benchmark_recommend --workspace FOLDER --weeks 2017-09-11`.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from features.history import Purchases, load_purchases
from features.progress import Progress, silent
from features.workspace import Snapshot, Workspace
from models.recommenders import RECOMMENDERS
from models.settings import RecommendSettings
from training.benchmark_page import shown, table
from training.household_scores import Week, Weeks
from training.next_basket import hide_last_baskets
from training.progress import showing_progress
from training.recipe import load_recipe
from training.recommend_backtest import fitted
from training.recommend_cost import cost_figures
from training.recommend_lists import PARTS, answers_of, measured
from training.recommend_tables import (
    HEADLINE,
    Bars,
    judged_figures,
    judged_text,
    score_figures,
    score_table,
    verdict_figures,
    verdict_table,
)
from training.recommend_weeks import PLACES, Load, judge_weeks, stability

Result = tuple[dict[str, Any], str]
# Report only: nothing was chosen by looking at these.
TEST_WEEKS = (date(2017, 10, 9), date(2017, 10, 30), date(2017, 11, 20), date(2017, 12, 11))
METHODS = tuple(RECOMMENDERS)
STEADY = ("popular", "personal", "tifu_knn", "ease", "als", "ranker")  # whose lists are made again a week later
# What the ranker shall reach over the best single method of the same run.
NEXT_WEEK_BARS: Bars = (
    ("all", "ndcg@10", 0.06), ("all", "recall@10", 0.07), ("repeat", "ndcg@10", 0.0), ("explore", "ndcg@10", 0.45),
)  # fmt: skip
BASKET_BARS: Bars = (("all", "ndcg@10", 0.06), ("all", "recall@10", 0.0))
ANY_CUT: Bars = tuple(("all", f"{name}@{k}", 0.0) for k in PLACES for name in ("recall", "ndcg"))


def loader(snapshot: Snapshot) -> Load:
    """The history as of a day; the last one asked for is read once."""
    kept: dict[date, Purchases] = {}

    def load(day: date) -> Purchases:
        if day not in kept:
            kept.clear()
            kept[day] = load_purchases(snapshot, day)
        return kept[day]

    return load


def next_week(
    load: Load, weeks: Sequence[date], settings: RecommendSettings, names: Iterable[str] = METHODS,
    progress: Progress = silent, bars: Bars = NEXT_WEEK_BARS,
) -> Result:  # fmt: skip
    """Next week's purchases and first baskets, candidates, chances and the nature of lists, at each cut-off.

    After the last cut-off, those of STEADY that are judged learn again a week later, to see what stays of their lists.
    """
    judged = judge_weeks(load, weeks, settings, names, progress)
    figures = {"settings": settings.model_dump(mode="json"), **judged_figures(judged, settings.seed, bars)}
    steady = [name for name in STEADY if judged.shown and name in judged.shown.lists]
    if judged.shown and steady:
        stays = stability(judged.shown, load, settings, steady)
        figures["steadiness"] = {name: stays[name] for name in steady}
    return figures, judged_text(figures)


def next_basket(purchases: Purchases, settings: RecommendSettings, names: Iterable[str] = METHODS) -> Result:
    """The last basket of each household, everything else known; days moved to the household's own (headline) or not."""
    figures: dict[str, Any] = {"settings": settings.model_dump(mode="json")}
    text = []
    for aligned in (True, False):
        question = hide_last_baskets(replace(purchases, offers=None), aligned).question(settings)
        week = Week(question.cutoff, question.households)
        for name, model in fitted(names, question.history, settings):
            week.add(name, measured(question, answers_of(question, model, settings, max(PLACES)).lists, PLACES))
        weeks = Weeks([week], settings.seed)
        rows = score_figures(weeks, PARTS)
        verdict = verdict_figures(weeks, "ranker", BASKET_BARS)
        figures["aligned" if aligned else "as they lie"] = {
            "households": len(question), "products": question.products, "lines": len(question.history),
            "scores": rows, "verdict": verdict,
        }  # fmt: skip
        days = "Days counted to each household's own next visit" if aligned else "Days as they lie"
        text += [f"{days}, {len(question):,} households, {question.products:,} products:",
                 *(score_table(rows, part, HEADLINE) for part in PARTS[: 3 if aligned else 1])]  # fmt: skip
        text += [verdict_table("ranker", verdict)] if verdict else []
    return figures, "\n\n".join(text)


def cost(workspace: Path, as_of: date, settings: RecommendSettings, scratch: Path) -> Result:
    """Seconds, CPU-seconds and memory of everyone's lists, and CPU milliseconds of one customer's."""
    figures = cost_figures(workspace, as_of, settings, scratch)
    rows = [[name, *(f"{figures[key][what]:,}" for what in ("seconds", "cpu_seconds", "peak_mib"))]
            for name, key in (("load, learn and list for everyone", "everyone"), ("load alone", "load"))]  # fmt: skip
    one = figures["one_customer"]
    times = [[name, shown(one[f"{key}_ms"], digits=1), shown(one[f"{key}_p95_ms"], digits=1)]
             for name, key in (("candidates", "candidates"), ("features and chances", "ranking"),
                               ("the whole answer", "whole"))]  # fmt: skip
    within = figures["within"]
    text = [
        f"{figures['customers']:,} customers, {figures['products']:,} products, {figures['lines']:,} lines as of "
        f"{figures['as_of']}, {figures['candidates']} candidates each; learning took {within['fit_seconds']:.0f} s of "
        f"it, listing {within['list_seconds']:.0f} s.",
        table(["a process of its own", "seconds", "CPU-seconds", "peak MiB"], rows),
        f"One customer at a time, {one['customers']} of them, one thread, CPU milliseconds:",
        table(["part", "median", "95 % within"], times),
    ]
    return figures, "\n\n".join(text)


def main() -> None:
    """Judge chosen weeks and methods, and print the tables; nothing is written."""
    chosen = _arguments()
    settings, load = load_recipe(chosen.recipe).recommend, loader(Workspace(chosen.workspace).snapshot())
    eve = chosen.weeks[0] - timedelta(days=1)
    with showing_progress() as progress:
        if chosen.part == "next-week":
            _, text = next_week(load, chosen.weeks, settings, chosen.methods, progress)
        elif chosen.part == "next-basket":
            _, text = next_basket(load(eve), settings, chosen.methods)
        else:
            _, text = cost(chosen.workspace, eve, settings, chosen.scratch)
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.benchmark_recommend", description=__doc__)
    parts = ("next-week", "next-basket", "cost")
    parser.add_argument("part", choices=parts, nargs="?", default=parts[0])
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--recipe", default="complete-journey")
    parser.add_argument(
        "--weeks", type=lambda text: [date.fromisoformat(day) for day in text.split(",")], required=True,
        help="first days of target weeks; of next-basket and cost the day after what is known",
    )  # fmt: skip
    parser.add_argument("--methods", type=lambda text: text.split(","), default=METHODS)
    parser.add_argument("--scratch", type=Path, default=Path("scratch"), help="where cost keeps what was learnt")
    return parser.parse_args()


if __name__ == "__main__":
    main()
