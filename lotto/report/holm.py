"""Holm's correction for many tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lotto.report.intervals import Floats


def holm(p: npt.ArrayLike) -> Floats:
    """The p-values of one family, adjusted so that the chance of any false alarm among them stays at the level tested.

    The k-th smallest of m is multiplied by m - k + 1, and none comes out below a smaller one or above 1. It holds
    however the tests depend on one another, as those of successive levels do. A NaN is no test: it stays, and counts
    for nothing. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
    """
    raw = np.asarray(p, dtype=float)
    adjusted = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1)
    return adjusted
