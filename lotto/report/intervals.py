"""Intervals of a mean over replicates: Student's t, and the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

CONFIDENCE = 0.95

# The bootstrap of a mean draws from this seed and no other, so that the same replicates have the same interval.
BOOTSTRAP_SEED = 0
BOOTSTRAP_RESAMPLES = 9_999
BATCH = 1_000  # resamples held in memory at a time

# Values that are equal may have gone through means that differ in the last bit; real ones differ by more than this,
# being counts over the size of a test set, or steps.
ROUNDING_DECIMALS = 12
ROUNDING = 10.0**-ROUNDING_DECIMALS

Floats = npt.NDArray[np.float64]


def t_half_width(sd: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Half the width of the 95% t interval of a mean of ``n`` values with standard deviation ``sd`` (n - 1 below).

    The interval of sentences and tables: with a handful of replicates it keeps what it promises where the mean is
    about normal, while the bootstrap comes out too narrow. NaN where n is below 2, 0 where nothing varies. Not clipped
    to what an accuracy can be.
    """
    # Of our own: scipy.stats takes a second to import, and its interval is NaN for a scale of zero.
    count = np.asarray(n, dtype=float)
    several = np.where(count >= 2, count, np.nan)
    return np.asarray(stdtrit(several - 1, (1 + CONFIDENCE) / 2) * np.asarray(sd, dtype=float) / np.sqrt(several))


def bootstrap_intervals(samples: Sequence[Floats]) -> Floats:
    """The 95% bootstrap interval of the mean of each sample, one value per replicate: low and high (samples x 2).

    For readers who doubt that means are normal; it stands in the CSV files beside the t interval. Bias-corrected and
    accelerated (BCa). With few replicates it is too narrow: no resample leaves the range of the values. NaN below two
    values, the mean itself where all are equal. Efron, "Better bootstrap confidence intervals", JASA 82 (1987).
    """
    ends = np.array([[_mean_of_equals(sample)] * 2 for sample in samples]).reshape(-1, 2)
    varied = [place for place, sample in enumerate(samples) if len(sample) >= 2 and np.isnan(ends[place, 0])]
    for n in {len(samples[place]) for place in varied}:
        alike = [place for place in varied if len(samples[place]) == n]
        ends[alike] = _bootstrap(np.stack([samples[place] for place in alike]))
    return ends


def _mean_of_equals(sample: Floats) -> float:
    """Where at least two values are all equal, up to rounding, their mean; else NaN."""
    return float(np.mean(sample)) if len(sample) >= 2 and np.ptp(sample) < ROUNDING else np.nan


def _bootstrap(samples: Floats) -> Floats:
    """BCa intervals of the rows, each from the same draws."""
    from scipy.stats import bootstrap

    interval = bootstrap(
        (samples,),
        _mean,
        axis=-1,
        n_resamples=BOOTSTRAP_RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(BOOTSTRAP_SEED),
    ).confidence_interval
    return np.stack([interval.low, interval.high], axis=-1)


def _mean(samples: Floats, axis: int) -> Floats:
    """Means of which equal ones are equal to the last bit: the correction for bias counts how many lie below."""
    return np.asarray(np.round(np.mean(samples, axis=axis), ROUNDING_DECIMALS))
