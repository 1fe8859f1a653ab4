"""Is one branch better than another, paired by replicate? Student's and Wilcoxon's answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lotto.report.intervals import Floats
from lotto.report.paired import Difference, of_differences

ALPHA = 0.05

# Signed ranks without ties have a known distribution, which scipy computes up to this many; with ties every sign is
# tried, up to 2^13 ways.
UNTIED_EXACT, TIED_EXACT = 50, 13


@dataclass(frozen=True)
class PairedTest:
    """The mean difference with its t interval, and two-sided p-values, NaN where there is none.

    ``note`` says in words why one is missing, or cannot be small; empty where there is nothing to say.
    """

    difference: Difference
    t_p: float
    wilcoxon_p: float
    note: str


def paired_test(differences: Floats) -> PairedTest:
    """Whether one side is better than the other, from the difference within each replicate (``paired.paired``).

    The paired t test asks whether the mean difference is zero, for differences that are about normal; Wilcoxon's signed
    ranks ask it of symmetric ones. Replicates without a difference are left out of the ranks, as Wilcoxon did. No
    p-value comes from fewer than two replicates, nor from a t test of differences that are all the same.
    """
    t_p, t_note = _student(differences)
    wilcoxon_p, wilcoxon_note = _wilcoxon(differences)
    note = "; ".join(filter(None, (t_note, wilcoxon_note)))
    return PairedTest(of_differences(differences), t_p, wilcoxon_p, note)


def _student(differences: Floats) -> tuple[float, str]:
    n = len(differences)
    if n == 0:
        return math.nan, "no replicate has both: nothing to compare"
    if n == 1:
        return math.nan, "one replicate: no interval and no test"
    if not differences.any():
        return math.nan, "every difference is zero: nothing to test"
    if np.ptp(differences) == 0:
        return math.nan, "every difference is the same: without a spread there is no t test"
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0).pvalue), ""


def _wilcoxon(differences: Floats) -> tuple[float, str]:
    moved = differences[differences != 0]
    n = len(moved)
    if len(differences) < 2 or n == 0:
        return math.nan, ""  # as the t test has said
    from scipy.stats import PermutationMethod, wilcoxon

    has_ties = len(np.unique(np.abs(moved))) < n
    if n > (TIED_EXACT if has_ties else UNTIED_EXACT):
        return float(wilcoxon(moved).pvalue), f"Wilcoxon's p is the normal approximation for n = {n}"
    method = PermutationMethod(n_resamples=2**TIED_EXACT) if has_ties else "exact"
    least = 2.0 ** (1 - n)
    note = f"Wilcoxon's p cannot fall below {least:.3g} with {_replicates(n)} that differ" if least > ALPHA else ""
    return float(wilcoxon(moved, method=method).pvalue), note


def _replicates(n: int) -> str:
    return "1 replicate" if n == 1 else f"{n} replicates"
