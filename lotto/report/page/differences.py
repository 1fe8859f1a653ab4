"""Paired differences at every level: the ticket from the dense network, each control from the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lotto.report.level_tests import LevelTest
from lotto.report.measures import Measure, p_text
from lotto.report.page.embed import drawn


def difference_set(tests: Sequence[LevelTest], measure: Measure) -> list[dict[str, Any]]:
    """A set for the tests of ``measure``, a line for each branch that is compared; empty where nothing is.

    A point is as in ``density.POINT``, with the ends of the 95% interval for the range, no standard deviation, and behind n the
    p-value of the paired t test after Holm's correction.
    """
    lines: dict[str, list[list[Any]]] = {}
    for found in tests:
        if found.measure == measure:
            difference = found.test.difference
            ends = (drawn(value) for value in (difference.mean, difference.low, difference.high))
            point = [found.level, found.density, *ends, None, difference.n, p_text(found.t_p_holm)]
            lines.setdefault(found.first, []).append(point)
    if not lines:
        return []
    unit, factor = (" points", 100.0) if measure.is_fraction else ("", 1.0)
    label = f"Difference of {measure.phrase}: ticket less dense, control less ticket"
    about = {
        "id": f"difference/{measure.column}",
        "label": label,
        "unit": unit.strip(),
        "factor": factor,
        "decimals": 2,
    }
    return [{**about, "floor": None, "differs": True, "lines": lines}]
