from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lotto.report.intervals import bootstrap_intervals, t_half_width

values = st.lists(st.integers(0, 450), min_size=2, max_size=7).map(lambda counts: np.array(counts) / 450)


@settings(deadline=None)  # the first call loads scipy.stats
@given(values)
def test_the_t_interval_is_scipys(sample: np.ndarray) -> None:
    sd, n = float(np.std(sample, ddof=1)), len(sample)

    half = float(t_half_width(sd, n))

    if sd > 0:
        low, high = scipy.stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=sd / math.sqrt(n))
        assert (sample.mean() - half, sample.mean() + half) == pytest.approx((low, high), abs=1e-12)
    else:
        assert half == 0


def test_fewer_than_two_values_have_no_t_interval() -> None:
    assert np.isnan(t_half_width([0.1, 0.1, np.nan], [0, 1, 1])).all()
    assert t_half_width([0.1, 0.2], [3, 3]) == pytest.approx([4.302653 * 0.1 / 3**0.5, 4.302653 * 0.2 / 3**0.5])


@settings(deadline=None)  # the first call loads scipy.stats
@given(values, st.integers(-3, 3), st.sampled_from([0.5, 2.0, 8.0]))
def test_the_bootstrap_moves_and_stretches_with_the_values(sample: np.ndarray, shift: int, scale: float) -> None:
    ((low, high), (moved_low, moved_high)) = bootstrap_intervals([sample, sample * scale + shift])

    assert sample.min() - 1e-12 <= low <= sample.mean() + 1e-12
    assert sample.mean() - 1e-12 <= high <= sample.max() + 1e-12
    assert (moved_low, moved_high) == pytest.approx((low * scale + shift, high * scale + shift), abs=1e-9)


def test_the_bootstrap_is_that_of_every_draw_written_out() -> None:
    """For symmetric values neither bias nor acceleration is left: BCa is the percentile interval."""
    sample = np.array([-3.0, -2.0, -0.5, 0.5, 2.0, 3.0])
    means = [np.mean(draw) for draw in product(sample, repeat=6)]

    ((low, high),) = bootstrap_intervals([sample])

    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.06)


def test_a_sample_has_the_same_interval_whatever_stands_beside_it() -> None:
    one, other, longer = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.5, 0.1]), np.array([3.0, 1.0, 2.0, 7.0])

    together = bootstrap_intervals([longer, one, np.array([1.0]), other])

    assert (together[1] == bootstrap_intervals([one])[0]).all()
    assert (together[0] == bootstrap_intervals([longer])[0]).all()


def test_where_nothing_can_be_drawn() -> None:
    ends = bootstrap_intervals([np.empty(0), np.array([0.9]), np.array([0.9, 0.9]), np.array([0.1 + 0.2, 0.3])])

    assert np.isnan(ends[:2]).all()
    assert ends[2:] == pytest.approx(np.array([[0.9, 0.9], [0.3, 0.3]]))
    assert bootstrap_intervals([]).shape == (0, 2)
