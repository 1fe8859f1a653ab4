"""Shares of a whole number become whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping


def dealt(shares: Mapping[str, float], wanted: int, most: Mapping[str, int], least: int = 0) -> dict[str, int]:
    """Whole counts that add up to ``wanted``: every share rounded down, what is left over to the largest remainders.

    Args:
        shares: real numbers that add up to ``wanted``.
        most: no count exceeds its own; together at least ``wanted``.
        least: no count falls below it, ``most`` permitting; together at most ``wanted``. What is too much then is taken from the
            smallest remainders.
    """
    keep = {name: min(max(math.floor(share), least), most[name]) for name, share in shares.items()}
    by_remainder = sorted(keep, key=lambda name: keep[name] - shares[name])
    while (missing := wanted - sum(keep.values())) > 0:
        for name in [name for name in by_remainder if keep[name] < most[name]][:missing]:
            keep[name] += 1
    while (excess := sum(keep.values()) - wanted) > 0:
        for name in [name for name in reversed(by_remainder) if keep[name] > least][:excess]:
            keep[name] -= 1
    return keep
