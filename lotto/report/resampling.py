"""How a bootstrap draws replicates: every way there is where these are few enough, else many by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from lotto.report.intervals import BOOTSTRAP_RESAMPLES, BOOTSTRAP_SEED, CONFIDENCE, ROUNDING, Floats


@dataclass(frozen=True)
class Resamples:
    """Draws of n replicates out of n, with replacement.

    ``counts`` (int64, resamples x n) says how often each replicate was drawn, ``weights`` (float64, resamples, sum 1)
    how probable the draw is. ``is_exact`` where these are all draws, so that there is no chance in what follows.
    """

    counts: npt.NDArray[np.int64]
    weights: Floats
    is_exact: bool


@cache
def resamples(n: int) -> Resamples:
    """All draws that differ in more than order, C(2n - 1, n) of them, where there are fewer than 10,000 (n <= 8).

    Else as many by chance, from a fixed seed. ``n`` is at least 1.
    """
    if math.comb(2 * n - 1, n) <= BOOTSTRAP_RESAMPLES:
        drawn = [np.bincount(draw, minlength=n) for draw in combinations_with_replacement(range(n), n)]
        orders = [_orders(counts.tolist()) / n**n for counts in drawn]
        return Resamples(np.stack(drawn).astype(np.int64), np.array(orders), is_exact=True)
    random = np.random.default_rng(BOOTSTRAP_SEED)
    counts = random.multinomial(n, [1 / n] * n, size=BOOTSTRAP_RESAMPLES)
    return Resamples(counts, np.full(len(counts), 1 / len(counts)), is_exact=False)


def percentile_interval(values: Floats, weights: Floats) -> tuple[float, float]:
    """The 95% percentile interval of ``values`` that come up with probability ``weights``.

    Its ends are values, never something between two: the smallest with at least 2.5%, or 97.5%, at or below it.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    # Binary fractions do not add up to 0.975 to the last bit.
    low, high = (values[order][np.searchsorted(reached, tail - ROUNDING)] for tail in tails)
    return float(low), float(high)


def _orders(counts: Sequence[int]) -> int:
    """In how many orders replicates can be drawn this often."""
    return math.factorial(sum(counts)) // math.prod(math.factorial(count) for count in counts)
