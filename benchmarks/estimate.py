"""A figure and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_DRAWS = 500
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % confidence interval.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def inverse(self, numerator: float) -> Estimate:
        """``numerator`` over the figure, e.g. frames a second from milliseconds a frame."""
        return Estimate(numerator / self.value, numerator / self.high, numerator / self.low)

    def text(self, digits: int = 3) -> str:
        """The figure and the larger half of its interval."""
        half = max(self.high - self.value, self.value - self.low)
        return f"{self.value:.{digits}f} ± {half:.{digits}f}"


def exactly(value: float) -> Estimate:
    """A figure without noise, e.g. a file's size."""
    return Estimate(value, value, value)


def estimate(rounds: Sequence[NDArray[np.float64]], quantile: float = 0.5) -> Estimate:
    """A quantile of all samples, with its bootstrap interval.

    Samples of one process resemble each other more than those of another, so processes are drawn
    first and then samples within each. As few rounds make such intervals too narrow, the
    percentiles lie farther out by Student's t (Hesterberg 2015, "expanded percentile").

    Args:
        rounds: The samples of each round.
        quantile: 0.5 is the median.
    """
    # The same samples give the same interval.
    rng = np.random.default_rng(0)
    value = float(np.quantile(np.concatenate(rounds), quantile))
    lengths = np.array([len(samples) for samples in rounds])
    table = np.zeros((len(rounds), lengths.max()))
    for row, samples in zip(table, rounds, strict=True):
        row[: len(samples)] = samples
    drawn = rng.integers(0, len(rounds), (_DRAWS, len(rounds), 1))
    places = (rng.random((_DRAWS, len(rounds), table.shape[1])) * lengths[drawn]).astype(int)
    redone = np.quantile(table[drawn, places].reshape(_DRAWS, -1), quantile, axis=1)
    low, high = np.quantile(redone, _percentiles(len(rounds)))
    return Estimate(value, min(float(low), value), max(float(high), value))


def _percentiles(rounds: int) -> tuple[float, float]:
    """Where a 95 % interval from so many rounds ends, as shares of the bootstrap's draws."""
    freedom = max(rounds - 1, 1)
    # The first terms of the t quantile's Cornish-Fisher expansion.
    t = _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    tail = NormalDist().cdf(-t * math.sqrt(rounds / freedom))
    return tail, 1 - tail


def share(count: int, n: int) -> Estimate:
    """``count`` of ``n`` as a share, with Wilson's score interval (1927)."""
    value = count / n
    center = (value + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(value * (1 - value) / n + (_Z / (2 * n)) ** 2)
    return Estimate(value, max(min(center - half, value), 0), min(max(center + half, value), 1))
