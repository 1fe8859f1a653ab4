"""Subset sums: the nearest subset, by brute force and by law; the lemma's curve beside the sheet's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.universal.subset_sum import (
    EXHAUSTIVE,
    LARGEST,
    Floats,
    curve,
    exhaustive,
    greedy,
    meet_in_the_middle,
    nearest,
)

numbers = st.floats(-2, 2, allow_subnormal=False)
# The sheet's table: candidates -> median error and share within 0.01, of numbers from U[-1, 1] and of products.
CURVE = {
    (4, False): (6.0e-2, 0.118),
    (4, True): (1.0e-1, 0.126),
    (8, False): (5.0e-3, 0.701),
    (8, True): (4.6e-3, 0.651),
    (12, False): (3.6e-4, 0.976),
    (12, True): (2.7e-4, 0.910),
    (16, False): (2.6e-5, 0.998),
    (16, True): (1.7e-5, 0.971),
}


def least_error(candidates: list[float], target: float) -> float:
    """Every subset in turn."""
    subsets = itertools.chain.from_iterable(
        itertools.combinations(candidates, size) for size in range(len(candidates) + 1)
    )
    return min(abs(sum(subset) - target) for subset in subsets)


def error(candidates: Floats, chosen: np.ndarray, target: float) -> float:
    return abs(float(candidates[chosen].sum()) - target)


@given(st.lists(numbers, min_size=1, max_size=10), numbers)
def test_no_subset_is_nearer(candidates: list[float], target: float) -> None:
    array = np.array(candidates)
    least = least_error(candidates, target)
    for solver in (nearest, exhaustive, meet_in_the_middle):
        chosen = solver(array, target)
        assert chosen.shape == array.shape and chosen.dtype == np.bool_
        assert error(array, chosen, target) == pytest.approx(least, abs=1e-12)


def test_twelve_candidates_by_brute_force() -> None:
    generator = np.random.default_rng(3)
    for _ in range(5):
        candidates, target = generator.uniform(-1, 1, 12), float(generator.uniform(-1, 1))
        assert error(candidates, nearest(candidates, target), target) == pytest.approx(
            least_error(list(candidates), target), abs=1e-12
        )


@given(st.lists(numbers, min_size=2, max_size=14), numbers)
def test_a_candidate_more_never_hurts(candidates: list[float], target: float) -> None:
    array = np.array(candidates)
    errors = [error(array[:n], nearest(array[:n], target), target) for n in range(1, len(array) + 1)]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(errors))


def test_the_empty_subset_and_ties() -> None:
    assert not nearest(np.array([1.0, -1.0, 2.0]), 0.0).any()
    assert nearest(np.array([0.5, 0.5, 0.5]), 0.5).tolist() == [True, False, False]
    assert nearest(np.empty(0), 0.3).tolist() == []


def test_beyond_exhaustion_the_halves_meet() -> None:
    generator = np.random.default_rng(0)
    candidates = generator.uniform(-1, 1, EXHAUSTIVE + 6)
    chosen = nearest(candidates, 0.123)
    assert error(candidates, chosen, 0.123) <= error(
        candidates, np.append(exhaustive(candidates[:16], 0.123), [False] * (EXHAUSTIVE - 10)), 0.123
    )
    assert error(candidates, chosen, 0.123) < 1e-6
    with pytest.raises(BadRequest, match=f"at most {LARGEST}"):
        nearest(np.ones(LARGEST + 1), 0.5)


@given(st.lists(numbers, min_size=1, max_size=30), numbers)
def test_greedy_is_no_worse_than_nothing_and_no_better_than_the_best(candidates: list[float], target: float) -> None:
    array = np.array(candidates)
    found = error(array, greedy(array, target), target)
    assert found <= abs(target) + 1e-12
    if len(array) <= 10:
        assert found >= error(array, nearest(array, target), target) - 1e-12


def test_greedy_with_many_candidates_is_fine() -> None:
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(5):
        candidates, target = generator.uniform(-1, 1, 60), float(generator.uniform(-1, 1))
        errors.append(error(candidates, greedy(candidates, target), target))
    assert max(errors) < 1e-3


@pytest.mark.parametrize(("count", "product"), CURVE)
def test_the_error_falls_as_the_sheets_curve(count: int, product: bool) -> None:
    found = curve(count, draws=120, targets=50, product=product, generator=np.random.default_rng(5))
    median, share = CURVE[count, product]
    assert found.shape == (120, 50)
    assert median / 3 <= np.median(found) <= 3 * median
    assert float((found <= 0.01).mean()) == pytest.approx(share, abs=0.06)


def test_the_median_halves_with_every_candidate() -> None:
    medians = [float(np.median(curve(n, 150, 50, False, np.random.default_rng(n)))) for n in (4, 8, 12)]
    slopes = np.diff(np.log10(medians)) / 4
    assert all(-0.36 < slope < -0.22 for slope in slopes)
