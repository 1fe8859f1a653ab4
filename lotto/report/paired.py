"""Differences between two branches, paired by replicate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

CONFIDENCE = 0.95

# Accuracies are counts over the size of a test set: what differs by less than this differs by rounding alone.
ROUNDING_DECIMALS = 12


@dataclass(frozen=True)
class Difference:
    """The mean of ``n`` paired differences and its 95% t interval from ``low`` to ``high``, NaN where n is below 2."""

    n: int
    mean: float
    low: float
    high: float

    @property
    def is_reliable(self) -> bool:
        """Whether there is an interval and it excludes zero."""
        return self.low > 0 or self.high < 0


def paired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """``first - second`` over the replicates (the index) that both have.

    Replicate r starts from the same weights and sees the same data in every branch, so the difference within a
    replicate varies less than either side does.
    """
    differences = (first - second).dropna().round(ROUNDING_DECIMALS)
    n = len(differences)
    mean = float(differences.mean())
    if n < 2:
        return Difference(n, mean, math.nan, math.nan)
    # A t interval of our own: scipy.stats takes a second to import, and its interval is NaN for a scale of zero.
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * float(differences.std(ddof=1)) / math.sqrt(n)
    return Difference(n, mean, mean - half, mean + half)
