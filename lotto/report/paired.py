"""Differences between two branches, paired by replicate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lotto.report.intervals import ROUNDING_DECIMALS, Floats, t_half_width


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
    return of_differences(paired(first, second))


def paired(first: pd.Series, second: pd.Series) -> Floats:
    """``first - second`` of every replicate (the index) that both have."""
    return (first - second).dropna().round(ROUNDING_DECIMALS).to_numpy(float)


def of_differences(differences: Floats) -> Difference:
    """The mean of the differences of replicates, with its interval."""
    n = len(differences)
    mean = float(np.mean(differences)) if n else math.nan
    half = float(t_half_width(np.std(differences, ddof=1), n)) if n > 1 else math.nan
    return Difference(n, mean, mean - half, mean + half)
