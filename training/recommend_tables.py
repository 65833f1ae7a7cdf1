"""Figures of what was judged of recommenders, for JSON, and the same as tables in Markdown."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from training.benchmark_page import percent, shown, table
from training.candidate_recall import Figures, mean_figures
from training.household_scores import Week, Weeks
from training.recommend_lists import PARTS
from training.recommend_metrics import METRICS
from training.recommend_weeks import PLACES, SHOWN, Judged

HEADLINE = (f"recall@{SHOWN}", f"ndcg@{SHOWN}")
EVERY_METRIC = tuple(f"{name}@{k}" for k in PLACES for name in METRICS)
# Part, metric and the gain over the best other method that is asked for.
Bars = Sequence[tuple[str, str, float]]


def score_figures(weeks: Weeks, parts: Iterable[str], groups: Iterable[str] = ()) -> list[dict[str, Any]]:
    """A row per method, segment and metric: the mean over cut-offs, its interval, and each cut-off's mean."""
    segments = [*((part, "") for part in parts), *(("all", group) for group in groups)]
    rows = []
    for method in weeks.methods:
        for part, group in segments:
            for metric in HEADLINE if group else EVERY_METRIC:
                low, high = weeks.interval(method, part, metric, group)
                rows.append({"method": method, "segment": group or part, "metric": metric,
                             "value": weeks.mean(method, part, metric, group), "low": low, "high": high,
                             "by_cutoff": weeks.by_cutoff(method, part, metric, group)})  # fmt: skip
    return rows


def score_table(rows: list[dict[str, Any]], segment: str, metrics: Sequence[str]) -> str:
    """Methods × metrics of one segment, with the intervals of the headline metrics."""
    found = {(row["method"], row["metric"]): row for row in rows if row["segment"] == segment}
    methods = list(dict.fromkeys(method for method, _ in found))
    lines = []
    for method in methods:
        cells = [found[method, metric] for metric in metrics]
        lines.append([method, *(shown(cell["value"], cell["low"], cell["high"]) if cell["metric"] in HEADLINE
                                else shown(cell["value"]) for cell in cells)])  # fmt: skip
    return table(["method", *metrics], lines)


def group_table(rows: list[dict[str, Any]], groups: Sequence[str], metric: str = HEADLINE[-1]) -> str:
    """Methods × customer groups by one metric."""
    found = {(row["method"], row["segment"]): row["value"] for row in rows if row["metric"] == metric}
    methods = list(dict.fromkeys(method for method, _ in found))
    return table(
        [f"{metric}", *groups], [[method, *(shown(found[method, one]) for one in groups)] for method in methods]
    )


def verdict_figures(weeks: Weeks, method: str, bars: Bars) -> list[dict[str, Any]]:
    """For each bar, the gain of the method over the best other one with its paired interval; none without either."""
    if method not in weeks.methods or len(weeks.methods) < 2:
        return []
    return [{**asdict(weeks.gain(method, part, metric)), "bar": bar} for part, metric, bar in bars]


def verdict_table(method: str, verdicts: list[dict[str, Any]]) -> str:
    rows = [[f"{one['part']} {one['metric']}", f"{one['best']}, {shown(one['best_mean'])}", shown(one["method_mean"]),
             _signed(one["bar"]), _signed(one["value"]), f"{_signed(one['low'])} – {_signed(one['high'])}",
             _verdict(one)] for one in verdicts]  # fmt: skip
    return table(["measure", "best other method", method, "bar", "reached", "interval", ""], rows)


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else ("+" if value >= 0 else "") + percent(value)


def _verdict(one: dict[str, Any]) -> str:
    if math.isnan(one["value"]):
        return "nothing to compare"
    if one["value"] < one["bar"]:
        return "below the bar"
    return "above, the whole interval too" if one["low"] >= one["bar"] else "above"


def candidate_table(figures: Figures) -> str:
    """Sources × shares of the truth."""
    head = ["source", "candidates", *(f"{part}, {what}" for part in PARTS for what in ("found", "only by it"))]
    rows = [[source, f"{figures['all'][source]['candidates']:.0f}",
             *(percent(figures[part][source].get(what, math.nan)) for part in PARTS for what in ("found", "only"))]
            for source in figures["all"]]  # fmt: skip
    return table(head, rows)


BEYOND = {"coverage": "catalogue shown", "novelty": "novelty, bits", "diversity": "diversity",
          "top_share": "of the 1 % most bought", "gini": "Gini", "small_brands": "of small brands",
          "new": "new products"}  # fmt: skip
IN_PERCENT = ("coverage", "top_share", "small_brands", "new")


def beyond_table(beyond: dict[str, dict[str, float]]) -> str:
    def told(values: dict[str, float]) -> list[str]:
        return [percent(values[name]) if name in IN_PERCENT else shown(values[name], digits=3) for name in BEYOND]

    return table(["exposures", *BEYOND.values()], [[method, *told(values)] for method, values in beyond.items()])


def beyond_figures(judged: Judged) -> dict[str, dict[str, float]]:
    """The mean over cut-offs of every figure, the ranker last."""
    return {method: {name: float(np.mean([week[name] for week in judged.beyond[method]])) for name in BEYOND}
            for method in sorted(judged.beyond, key=lambda name: name == "ranker")}  # fmt: skip


# Of calibration, and how many digits are shown.
TOLD = {"said": 4, "bought": 4, "slope": 3, "intercept": 3, "calibration_error": 4}


def calibration_table(chances: dict[str, dict[str, Any]]) -> str:
    """Slope and reliability by tenths, of each kind of product."""
    told = {name: values for name, values in chances.items() if values["pairs"]}
    lines = [[name, f"{values['pairs']:,}", *(shown(values[key], digits=digits) for key, digits in TOLD.items())]
             for name, values in told.items()]  # fmt: skip
    head = ["candidates", "pairs", *(key.replace("_", " ") for key in TOLD)]
    tenths = [[f"{name}, {what}", *(shown(one[what]) for one in values["tenths"])]
              for name, values in told.items() for what in ("said", "bought")]  # fmt: skip
    most = max((len(values["tenths"]) for values in told.values()), default=0)
    return table(head, lines) + "\n\n" + table(["tenth", *map(str, range(1, most + 1))], tenths)


def judged_figures(judged: Judged, seed: int, bars: Bars) -> dict[str, Any]:
    """Everything that `judge_weeks` kept, as figures."""
    weeks, baskets = Weeks(judged.weeks, seed), Weeks(_asked(judged.baskets), seed)
    groups = list(judged.weeks[0].groups)
    return {
        "cutoffs": {week.cutoff.isoformat(): len(week.households) for week in judged.weeks},
        "scores": score_figures(weeks, PARTS, groups),
        "groups": groups,
        "verdict": verdict_figures(weeks, "ranker", bars),
        "first_basket": {
            "households": [len(week.households) for week in judged.baskets],
            "scores": score_figures(baskets, ["all"]),
            "verdict": verdict_figures(baskets, "ranker", [("all", metric, 0.0) for metric in HEADLINE]),
        },
        "candidates": mean_figures(judged.candidates) if judged.candidates else {},
        "beyond": beyond_figures(judged),
        "chances": {name: told.figures() for name, told in judged.chances.items() if told.chances},
    }


def _asked(weeks: list[Week]) -> list[Week]:
    return [week for week in weeks if week.households]


def judged_text(figures: dict[str, Any]) -> str:
    """All tables of `judged_figures`, each under a line that says what it is."""
    rows, first = figures["scores"], figures["first_basket"]
    counts = ", ".join(f"{count:,} from {cutoff}" for cutoff, count in figures["cutoffs"].items())
    other = [f"{name}@{k}" for k in PLACES if k != SHOWN for name in ("recall", "ndcg")]
    headline = score_table(rows, "all", [*HEADLINE, f"hit@{SHOWN}", f"map@{SHOWN}"])
    parts = [f"Households asked about: {counts}.", "All products:", headline, score_table(rows, "all", other)]
    for part in PARTS[1:]:
        parts += [f"Only {part}:", score_table(rows, part, HEADLINE)]
    if figures["verdict"]:
        parts += ["The ranker over the best other method of each measure, households drawn again in pairs:",
                  verdict_table("ranker", figures["verdict"])]  # fmt: skip
    parts += ["By group of households, all products:", group_table(rows, figures["groups"])]
    if first["scores"]:
        parts += [f"The first basket after each cut-off, {sum(first['households']):,} of them:",
                  score_table(first["scores"], "all", HEADLINE)]  # fmt: skip
        parts += [verdict_table("ranker", first["verdict"])] if first["verdict"] else []
    if figures["candidates"]:
        parts += ["What the first stage proposes, as a share of all that was bought:",
                  candidate_table(figures["candidates"])]  # fmt: skip
    if figures["chances"]:
        parts += ["The ranker's chances, and what came of them:", calibration_table(figures["chances"])]
    parts += [f"What the first {SHOWN} places are like:", beyond_table(figures["beyond"])]
    if figures.get("steadiness"):
        rows_of_it = [[name, percent(share)] for name, share in figures["steadiness"].items()]
        parts += [f"How much of the first {SHOWN} places of the last cut-off stays a week later, all learnt anew:",
                  table(["method", "stays"], rows_of_it)]  # fmt: skip
    return "\n\n".join(parts)
