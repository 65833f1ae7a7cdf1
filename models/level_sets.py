"""From means to distributions: what actually happened when the mean predicted was about this large.

A level set holds past (mean, actual) pairs whose predicted means are similar (Hasson, Maman, Weinstein and
Weissman, "Probabilistic forecasting with level sets", 2021). Each set's quantiles are taken of the ratio
actual ÷ mean, so that it holds for means of any scale. Sets are kept apart by how variable the series itself has
been, relative to others of its mean. Sets grow finer towards the largest means; above the topmost centre,
deviations from the mean grow with the series' own spread, at most as fast as the mean.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import gamma
from sklearn.isotonic import isotonic_regression

from features.history import Float

Doubles = npt.NDArray[np.float64]

LEVELS = np.array([
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
    0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.999,
])  # fmt: skip
PAIRS_IN_A_SET = 300
FEWEST_IN_A_SET = 40
PAIRS_BEYOND_A_LEVEL = 4  # fewer pairs than this in a tail: the gamma distribution continues it
MAX_SETS = 32
MAX_GROUPS = 5
PAIRS_IN_THE_TOP_SET = 600
MOST_HALVINGS = 12
CHUNK = 200_000


@dataclass(frozen=True)
class LevelSets:
    """Quantiles of demand as a function of its predicted mean and of the series' own spread.

    spread_line  intercept and slope of log(own spread) over log(mean): what spread is usual at a mean
    spreads      [groups] log of own spread ÷ usual spread at each group's centre, ascending
    means        [groups, sets + 1] mean at each set's centre, ascending; the first is 0
    top_spreads  [groups] mean own spread in the topmost set
    quantiles    [groups, sets + 1, len(LEVELS)] demand at each centre, never falling along either axis
    """

    spread_line: tuple[float, float]
    spreads: Doubles
    means: Doubles
    top_spreads: Doubles
    quantiles: Doubles

    @classmethod
    def fit(cls, mean: Float, actual: Float, spread: Float) -> Self:
        """Learn from past pairs; `spread` is the own standard deviation of each pair's series. All are [pairs]."""
        return cls._fit(np.asarray(mean, np.float64), np.asarray(actual, np.float64), np.asarray(spread, np.float64))

    @classmethod
    def _fit(cls, mean: Doubles, actual: Doubles, spread: Doubles) -> Self:
        some = mean > 0
        at_zero = _tail_continued(actual[~some]) if (~some).any() else np.zeros(len(LEVELS))
        if not some.any():
            return cls((0.0, 0.0), np.zeros(1), np.zeros((1, 1)), np.ones(1), at_zero[None, None])
        mean, actual, spread = mean[some], actual[some], spread[some]
        line = _usual_spread(mean, spread)
        relative = _relative(mean, spread, line)
        groups = 1 if np.ptp(relative) < 1e-6 else int(np.clip(len(mean) // (4 * PAIRS_IN_A_SET), 1, MAX_GROUPS))
        pairs = len(mean) // groups
        sets = int(np.clip(pairs / np.clip(pairs / 8, FEWEST_IN_A_SET, PAIRS_IN_A_SET), 1, MAX_SETS))
        parts = np.array_split(np.argsort(relative, kind="stable"), groups)
        learnt = [_sets_by_mean(mean[part], actual[part], sets, at_zero) for part in parts]
        return cls(
            line,
            np.array([relative[part].mean() for part in parts]),
            np.stack([centres for centres, _ in learnt]),
            np.array([_top_spread(mean[part], spread[part], sets) for part in parts]),
            np.stack([quantiles for _, quantiles in learnt]),
        )

    def at(self, mean: Float, spread: Float, levels: Sequence[float]) -> Float:
        """Quantiles at `levels` for means [n] of series with spreads [n]; float32 [n, levels], at least 0."""
        answer = np.empty((len(mean), len(levels)), np.float32)
        table = _at_levels(self.quantiles, levels)
        for start in range(0, len(mean), CHUNK):
            part = slice(start, start + CHUNK)
            answer[part] = self._look_up(np.asarray(mean[part], np.float64), spread[part], table)
        return answer

    def _look_up(self, mean: Doubles, spread: Float, table: Doubles) -> Doubles:
        relative = _relative(np.maximum(mean, 1e-9), np.asarray(spread, np.float64), self.spread_line)
        lower, share = _between(self.spreads, relative)
        answer = np.zeros((len(mean), table.shape[-1]))
        for group in range(len(self.spreads)):
            weight = np.where(lower == group, 1 - share, np.where(lower + 1 == group, share, 0.0))
            rows = np.flatnonzero(weight)
            inside = _along_means(mean[rows], self.means[group], table[group])
            above = np.flatnonzero(mean[rows] > self.means[group, -1])
            inside[above] = self._beyond_top(group, inside[above], mean[rows][above], spread[rows][above])
            answer[rows] += weight[rows, None] * inside
        return answer

    def _beyond_top(self, group: int, quantiles: Doubles, mean: Doubles, spread: Float) -> Doubles:
        """Carry the topmost centre's quantiles on to means above it; what is 0 there stays 0."""
        top = self.means[group, -1]
        growth = np.minimum(mean / max(top, 1e-9), spread / max(self.top_spreads[group], 1e-9))[:, None]
        carried = mean[:, None] + (quantiles - top) * growth
        return np.where(quantiles > 0, np.maximum(carried, 0), 0)

    def content(self) -> dict[str, Any]:
        """What `restored` needs, as JSON can hold it without loss."""
        return {name: np.asarray(value).tolist() for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, content: dict[str, Any]) -> Self:
        """The level sets that `content` came from."""
        intercept, slope = content["spread_line"]
        return cls(
            (intercept, slope), *(np.array(content[name]) for name in ("spreads", "means", "top_spreads", "quantiles"))
        )


def _usual_spread(mean: Doubles, spread: Doubles) -> tuple[float, float]:
    x, y = np.log(mean), np.log(np.maximum(spread, 1e-6))
    if np.ptp(x) < 1e-6:
        return float(y.mean()), 0.0
    slope = float(np.mean((x - x.mean()) * (y - y.mean())) / x.var())
    return float(y.mean() - slope * x.mean()), slope


def _relative(mean: Doubles, spread: Doubles, line: tuple[float, float]) -> Doubles:
    return np.asarray(np.log(np.maximum(spread, 1e-6)) - line[0] - line[1] * np.log(mean))


def _top_spread(mean: Doubles, spread: Doubles, sets: int) -> float:
    edges = _edges(mean, sets)
    return float(spread[mean >= edges[-1]].mean() if len(edges) else spread.mean())


def _edges(mean: Doubles, sets: int) -> Doubles:
    """Where sets part: equally many pairs in each, the topmost halved again and again while it has pairs enough."""
    ranked = np.sort(mean)
    places = list(np.linspace(0, len(ranked), sets + 1).astype(int)[1:-1])
    left = len(ranked) - (places[-1] if places else 0)
    while left >= 2 * PAIRS_IN_THE_TOP_SET and len(places) < sets - 1 + MOST_HALVINGS:
        left //= 2
        places.append(len(ranked) - left)
    return np.unique(ranked[places])


def _sets_by_mean(mean: Doubles, actual: Doubles, sets: int, at_zero: Doubles) -> tuple[Doubles, Doubles]:
    """Centres and quantiles of the sets, repeated at the top to make as many in each group; equal means together."""
    edges = _edges(mean, sets)
    which = np.searchsorted(edges, mean, side="right")
    parts = [part for part in (np.flatnonzero(which == number) for number in range(len(edges) + 1)) if len(part)]
    centres = np.array([mean[part].mean() for part in parts])
    found = [centre * _tail_continued(actual[part] / mean[part]) for centre, part in zip(centres, parts, strict=True)]
    weights = np.array([len(part) for part in parts], np.float64)
    rising = np.stack([isotonic_regression(level, sample_weight=weights) for level in np.stack(found).T], axis=1)
    repeated = np.minimum(np.arange(sets + MOST_HALVINGS), len(parts) - 1)
    lowest = np.minimum(at_zero, rising[0])
    return np.concatenate([[0.0], centres[repeated]]), np.concatenate([lowest[None], rising[repeated]])


def _tail_continued(sample: Doubles) -> Doubles:
    """Quantiles of a sample at LEVELS; where a tail holds too few values, a gamma of its moments continues it."""
    pairs = len(sample)
    quantiles = np.quantile(sample, LEVELS)
    mean, variance = sample.mean(), sample.var()
    if variance <= 1e-12 * mean**2 or mean <= 0:
        return np.asarray(quantiles)
    fitted = gamma.ppf(LEVELS, mean**2 / variance, scale=variance / mean)
    trusted = np.flatnonzero(pairs * np.minimum(LEVELS, 1 - LEVELS) >= PAIRS_BEYOND_A_LEVEL)
    if len(trusted) == 0:
        return np.asarray(fitted)
    first, last = trusted[0], trusted[-1]
    quantiles[last + 1 :] = quantiles[last] + fitted[last + 1 :] - fitted[last]
    quantiles[:first] = np.maximum(quantiles[first] + fitted[:first] - fitted[first], 0)
    return np.asarray(quantiles)


def _at_levels(quantiles: Doubles, levels: Sequence[float]) -> Doubles:
    lower, share = _between(LEVELS, np.asarray(levels, np.float64))
    upper = np.minimum(lower + 1, len(LEVELS) - 1)
    return np.asarray(quantiles[..., lower] * (1 - share) + quantiles[..., upper] * share)


def _between(knots: Doubles, values: Doubles) -> tuple[npt.NDArray[np.intp], Doubles]:
    """For each value the knot below and the share of the way to the next; values beyond the ends are held there."""
    if len(knots) == 1:
        return np.zeros(len(values), np.intp), np.zeros(len(values))
    lower = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    width = np.maximum(knots[lower + 1] - knots[lower], 1e-12)
    return lower, np.clip((values - knots[lower]) / width, 0, 1)


def _along_means(mean: Doubles, centres: Doubles, table: Doubles) -> Doubles:
    lower, share = _between(centres, mean)
    upper = np.minimum(lower + 1, len(centres) - 1)
    return np.asarray(table[lower] * (1 - share)[:, None] + table[upper] * share[:, None])
