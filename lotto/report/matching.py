"""When a ticket matches the dense network, and how sure the smallest density that does is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lotto.report.intervals import ROUNDING, Floats
from lotto.report.resampling import percentile_interval, resamples


@dataclass(frozen=True)
class DensityInterval:
    """The 95% bootstrap interval of the smallest density that matches, over ``n`` replicates.

    ``low`` and ``high`` are NaN, as is ``share_without``, where n is below 2. ``share_without`` is the share of
    resamples in which no sparse ticket matches: there the dense network alone matches itself, at density 1.
    ``is_exact`` where every resample there is was counted; ``is_open`` where ``low`` is the sparsest level known, and so
    says nothing of sparser ones.
    """

    n: int
    low: float
    high: float
    share_without: float
    is_exact: bool
    is_open: bool


def bar(dense_mean: Floats | float, dense_sd: Floats | float) -> Floats:
    """The mean accuracy from which a level matches: one standard deviation below dense, or dense where it has none.

    Less the last bits, in which means of equal accuracies may differ.
    """
    return np.asarray(dense_mean - np.nan_to_num(dense_sd) - ROUNDING)


def density_interval(accuracy: pd.DataFrame, density: pd.DataFrame) -> DensityInterval:
    """How far the smallest matching density moves when replicates are drawn again.

    Both tables hold the ticket's values, a row per replicate and a column per level, 0 being dense; NaN where unknown.
    A resample draws whole replicates with replacement, so that ticket and dense stay paired, and applies the rule of
    ``find`` to what it drew: means, standard deviation and densities are those of the draw. All resamples are counted
    for up to eight replicates, others drawn from a fixed seed (``resampling.resamples``).
    """
    accuracy = accuracy[accuracy[0].notna()]
    n = len(accuracy)
    if n < 2:
        return DensityInterval(n, np.nan, np.nan, np.nan, is_exact=False, is_open=False)
    draws = resamples(n)
    sparse = [level for level in accuracy.columns if level != 0]
    dense = accuracy[0].to_numpy(float)
    dense_mean = draws.counts @ dense / n
    # Around each resample's own mean: a difference of squares would leave a spread where nothing varies.
    squares = (draws.counts * (dense - dense_mean[:, None]) ** 2).sum(axis=1)
    levels = _means(draws.counts, accuracy[sparse])
    matches = levels >= bar(dense_mean, np.sqrt(squares / (n - 1)))[:, None]
    known = density.loc[accuracy.index, sparse]
    densities = _means(draws.counts, known)
    smallest = np.where(matches, densities, 1.0).min(axis=1)
    low, high = percentile_interval(smallest, draws.weights)
    without = float(draws.weights[~matches.any(axis=1)].sum())
    is_open = low <= known[known.mean().idxmin()].max()
    return DensityInterval(n, low, high, without, draws.is_exact, bool(is_open))


def _means(counts: np.ndarray, values: pd.DataFrame) -> Floats:
    """Mean of every level in every resample (resamples x levels); NaN where none of the replicates drawn has it."""
    known = values.notna().to_numpy(float)
    drawn = counts @ known
    with np.errstate(invalid="ignore"):
        return np.asarray(counts @ values.fillna(0).to_numpy(float) / drawn)
