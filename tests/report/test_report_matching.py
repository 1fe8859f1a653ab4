"""The interval of the smallest matching density, against ``find`` itself on tables that are drawn one by one."""

from __future__ import annotations

import math
import statistics
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lotto.report.finding import find
from lotto.report.matching import DensityInterval
from lotto.report.resampling import percentile_interval, resamples
from tests.report.report_examples import small


def interval_of(levels: list[list[float]]) -> DensityInterval:
    interval = find(small({"ticket": levels})).interval
    assert interval is not None
    return interval


def drawn(levels: list[list[float]], draw: tuple[int, ...]) -> float:
    """The smallest matching density of a table that holds the replicates drawn, as ``find`` sees it."""
    density = find(small({"ticket": [[level[replicate] for replicate in draw] for level in levels]})).density
    return 1.0 if density is None else density


def by_hand(levels: list[list[float]], draw: tuple[int, ...]) -> float:
    """The same from the standard library: the densest level is 1, each next one half of it."""
    dense, *sparse = ([level[replicate] for replicate in draw] for level in levels)
    bar = statistics.mean(dense) - statistics.stdev(dense) - 1e-12
    return min([1.0, *(0.5 ** (rank + 1) for rank, level in enumerate(sparse) if statistics.mean(level) >= bar)])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=2, max_size=4))
def test_it_is_what_find_says_of_every_draw(counts: list[list[int]]) -> None:
    levels = [[0.97 + count / 450 for count in level] for level in counts]
    # All 27 draws in order: 2.5% is less than one of them, so the interval reaches from the least to the greatest.
    every = [drawn(levels, draw) for draw in product(range(3), repeat=3)]

    interval = interval_of(levels)

    assert (interval.low, interval.high) == pytest.approx((min(every), max(every)))
    assert interval.share_without == pytest.approx(every.count(1.0) / 27)
    assert (interval.n, interval.is_exact) == (3, True)


def test_the_tails_hold_a_fortieth_each() -> None:
    random = np.random.default_rng(3)
    levels = [list(0.98 - 0.0004 * level + 0.001 * random.standard_normal(4)) for level in range(5)]
    every = sorted(by_hand(levels, draw) for draw in product(range(4), repeat=4))

    interval = interval_of(levels)

    # 2.5% of 256 is 6.4: the seventh from below; 97.5% is 249.6, the 250th.
    assert (interval.low, interval.high) == pytest.approx((every[6], every[249]))


def test_many_replicates_are_drawn_by_chance_and_always_the_same() -> None:
    random = np.random.default_rng(3)
    levels = [list(0.98 - 0.0004 * level + 0.001 * random.standard_normal(12)) for level in range(5)]

    first, second = interval_of(levels), interval_of(levels)

    assert first == second and not first.is_exact
    assert first.low < first.high


def test_one_replicate_has_no_interval() -> None:
    interval = interval_of([[0.98], [0.98]])

    assert interval.n == 1
    assert all(math.isnan(value) for value in (interval.low, interval.high, interval.share_without))


def test_replicates_that_differ_in_nothing_leave_no_doubt() -> None:
    interval = interval_of([[0.98] * 4, [0.98] * 4, [0.97] * 4])

    assert (interval.low, interval.high, interval.share_without) == (0.5, 0.5, 0.0)
    assert not interval.is_open


def test_a_replicate_that_a_level_lacks_is_drawn_for_the_others() -> None:
    table = small({"ticket": [[0.98, 0.98], [0.98, 0.97]]})
    table = table.drop(table.index[(table["level"] == 1) & (table["replicate"] == 1)])

    interval = find(table).interval

    # Drawn twice, the second replicate knows of no sparse ticket, in one draw of four.
    assert interval is not None
    assert (interval.low, interval.high) == (0.5, 1.0)
    assert interval.share_without == pytest.approx(0.25)


@pytest.mark.parametrize("n", range(1, 9))
def test_all_draws_are_counted_once(n: int) -> None:
    draws = resamples(n)

    assert len(draws.counts) == math.comb(2 * n - 1, n) and draws.is_exact
    assert (draws.counts.sum(axis=1) == n).all()
    assert draws.weights.sum() == pytest.approx(1)
    # How often a replicate is drawn has mean 1 and variance 1 - 1/n.
    assert draws.weights @ draws.counts == pytest.approx(np.ones(n))
    assert draws.weights @ (draws.counts - 1) ** 2 == pytest.approx(np.full(n, 1 - 1 / n))


def test_draws_by_chance_have_the_same_moments() -> None:
    draws = resamples(20)

    assert not draws.is_exact
    assert (draws.counts.sum(axis=1) == 20).all()
    assert draws.weights @ draws.counts == pytest.approx(np.ones(20), abs=0.05)
    assert draws.weights @ (draws.counts - 1) ** 2 == pytest.approx(np.full(20, 0.95), abs=0.1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 40)), min_size=1, max_size=8))
def test_percentiles_are_those_of_the_values_written_out(weighted: list[tuple[int, int]]) -> None:
    values, times = np.array(weighted, dtype=float).T
    written_out = np.repeat(values, times.astype(int))

    low, high = percentile_interval(values, times / times.sum())

    assert (low, high) == tuple(np.quantile(written_out, [0.025, 0.975], method="inverted_cdf"))


def test_draws_are_of_whole_replicates() -> None:
    """Were ticket and dense drawn apart, replicates that differ in their level would blur the density; paired, they do not."""
    shifted = [[0.90, 0.94, 0.98], [0.90, 0.94, 0.98], [0.80, 0.84, 0.88]]

    assert (interval_of(shifted).low, interval_of(shifted).high) == (0.5, 0.5)
