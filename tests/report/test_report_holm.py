from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lotto.report.holm import holm

families = st.lists(st.floats(0, 1, allow_subnormal=False) | st.just(math.nan), max_size=12)


def test_values_worked_by_hand() -> None:
    # In order 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, and the last not below the third.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])


def test_what_was_not_tested_counts_for_nothing() -> None:
    adjusted = holm([0.01, math.nan, 0.02])

    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.02])
    assert math.isnan(adjusted[1])


@settings(deadline=None)
@given(families)
def test_never_smaller_never_above_one_and_in_the_same_order(p: list[float]) -> None:
    raw, adjusted = np.array(p, dtype=float), holm(p)

    tested = ~np.isnan(raw)
    assert (np.isnan(adjusted) == ~tested).all()
    raw, adjusted = raw[tested], adjusted[tested]
    assert ((adjusted >= raw) & (adjusted <= 1)).all()
    assert (adjusted <= np.minimum(raw * len(raw), 1) + 1e-15).all()  # Bonferroni's are no smaller
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


@settings(deadline=None)
@given(families, st.randoms())
def test_the_order_of_the_levels_does_not_matter(p: list[float], random: object) -> None:
    order = list(range(len(p)))
    random.shuffle(order)  # type: ignore[attr-defined]

    assert np.array_equal(holm([p[place] for place in order]), holm(p)[order], equal_nan=True)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_it_rejects_what_holms_steps_reject(p: list[float], alpha: float) -> None:
    """The procedure as the paper states it: from the smallest on, until one exceeds alpha / (m - k + 1)."""
    rejected = 0
    for left, smallest in zip(range(len(p), 0, -1), sorted(p), strict=True):
        if smallest * left > alpha:
            break
        rejected += 1

    assert int((holm(p) <= alpha).sum()) == rejected
