"""When masks move and by how much, against values worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.dynamic.schedule import cubic_sparsity, drop_fraction, is_pruning_step, is_update
from lotto.passes import GRADUAL, STATIC, by_gradient


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.3),
        (25, 0.15 * (1 + math.sqrt(0.5))),
        (50, 0.15),
        (75, 0.15 * (1 - math.sqrt(0.5))),
        (100, 0.0),
        (150, 0.0),
    ],
)
def test_the_fraction_of_rigl_falls_as_a_cosine(step: int, expected: float) -> None:
    assert drop_fraction(step, 0.3, 0.0, 100, "cosine") == pytest.approx(expected, abs=1e-15)


def test_the_fraction_of_itop_falls_to_a_remainder() -> None:
    assert drop_fraction(0, 0.5, 0.005, 100, "cosine") == 0.5
    assert drop_fraction(50, 0.5, 0.005, 100, "cosine") == pytest.approx(0.2525)
    assert drop_fraction(99, 0.5, 0.005, 100, "cosine") == pytest.approx(0.005, abs=2e-4)


def test_a_constant_fraction_ends_with_the_updates() -> None:
    assert [drop_fraction(step, 0.3, 0.0, 100, "constant") for step in (0, 99, 100)] == [0.3, 0.3, 0.0]


def test_updates_lie_on_multiples_before_the_end() -> None:
    assert [step for step in range(60) if is_update(step, 10, 0, 40)] == [0, 10, 20, 30]
    assert [step for step in range(60) if is_update(step, 10, 15, 45)] == [20, 30, 40]


def test_the_cubic_schedule_at_its_ends_and_half_way() -> None:
    def sparsity(step: int) -> float:
        return cubic_sparsity(step, 0.0, 0.8, 100, 300)

    assert [sparsity(step) for step in (0, 99, 100)] == [0.0, 0.0, 0.0]
    assert sparsity(200) == pytest.approx(0.8 * 7 / 8)
    assert sparsity(150) == pytest.approx(0.8 * (1 - 27 / 64))
    assert [sparsity(step) for step in (300, 301, 1000)] == [0.8, 0.8, 0.8]
    assert cubic_sparsity(100, 0.2, 0.8, 100, 300) == pytest.approx(0.2)
    assert cubic_sparsity(200, 0.2, 0.8, 100, 300) == pytest.approx(0.8 - 0.6 / 8)


@given(
    st.floats(0, 1, allow_subnormal=False),
    st.floats(0, 1, allow_subnormal=False),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_the_cubic_schedule_never_falls(one: float, other: float, begin: int, length: int) -> None:
    initial, final = sorted((one, other))
    path = [cubic_sparsity(step, initial, final, begin, begin + length) for step in range(begin + length + 5)]
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(path))
    assert set(path[begin + length :]) == {final}


def test_a_gradual_schedule_prunes_at_both_ends_whatever_its_period() -> None:
    assert [step for step in range(60) if is_pruning_step(step, 10, 5, 32)] == [5, 15, 25, 32]


def test_the_cost_of_a_step() -> None:
    sparse, dense = 3.0, 10.0
    assert STATIC.flops(sparse, dense) == 9
    assert GRADUAL.flops(sparse, dense) == 16
    # Every step an update: half of the steps cost 2 f_S + f_D, the other half 3 f_S.
    assert by_gradient(1).flops(sparse, dense) == pytest.approx((2 * sparse + dense + 3 * sparse) / 2)
    assert by_gradient(100).flops(sparse, dense) == pytest.approx((300 * sparse + 2 * sparse + dense) / 101)
    assert by_gradient(10**9).flops(sparse, dense) == pytest.approx(3 * sparse)
    # Updates for three quarters of the steps.
    assert by_gradient(1).mixed(STATIC, 0.75).flops(sparse, dense) == pytest.approx(0.75 * 12.5 + 0.25 * 9)
