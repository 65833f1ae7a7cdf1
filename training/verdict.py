"""Whether a method beats the simple ones: what a backtest is for, in a line per method."""

import math

from training.recipe import Kind
from training.scoreboard import Scoreboard

BASELINES: dict[Kind, tuple[str, ...]] = {
    "recommend": ("popular", "personal"),
    "forecast": ("moving_average", "seasonal_naive"),
}
# What a method is judged by; True where higher is better.
JUDGED: dict[Kind, dict[str, bool]] = {
    "recommend": {"recall@10": True, "ndcg@10": True, "hit@10": True, "map@10": True},
    "forecast": {"wape": False, "rmsse": False, "pinball": False},
}


def verdicts(kind: Kind, board: Scoreboard) -> list[str]:
    """A line for each method that is no baseline: where it beats the best baseline judged, where not, by how much."""
    means = board.means(list(JUDGED[kind]))
    baselines = [name for name in BASELINES[kind] if name in means.index]
    if not baselines:
        return [f"no baseline was judged: --methods {','.join(BASELINES[kind])} with the others says who beats them"]
    lines = []
    for method in means.index.difference(baselines, sort=False):
        gains = {}
        for metric in means.columns:
            sign = 1 if JUDGED[kind][metric] else -1
            best = sign * (sign * means.loc[baselines, metric]).max()
            gains[metric] = sign * (means.loc[method, metric] - best) / abs(best) if best else math.nan
        lines.append(_line(str(method), baselines, gains))
    return lines


def _line(method: str, baselines: list[str], gains: dict[str, float]) -> str:
    """Say first what it does not do: a method that is worse anywhere does not simply beat them."""
    better = ", ".join(f"{metric} {gain:+.1%}" for metric, gain in gains.items() if gain > 0)
    worse = ", ".join(f"{metric} {gain:+.1%}" for metric, gain in gains.items() if gain <= 0)
    whom = " and ".join(baselines)
    if better and not worse:
        return f"{method} beats {whom} (how much better than the best of them: {better})"
    if worse and not better:
        return f"{method} does not beat {whom} (against the best of them: {worse})"
    if not worse:
        return f"{method} cannot be compared with {whom}: nothing was there to be found"
    return f"{method} beats {whom} on {better}, but not on {worse}"
