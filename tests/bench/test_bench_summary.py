from __future__ import annotations

import pytest

from lotto.bench.summary import Spread, peak_memory, rate
from tests.bench.bench_examples import block, measured


def values(spread: Spread | None) -> tuple[float, float, float]:
    assert spread is not None
    return spread.median, spread.least, spread.most


def test_a_rate_is_a_median_with_its_range() -> None:
    assert values(rate(measured("lotto", 5, 1.0, [300.0, 100.0, 200.0]))) == pytest.approx((200, 100, 300))


def test_ratios_are_taken_within_a_round_and_at_the_same_density() -> None:
    """Between rounds the machine's speed changes fourfold, of which a ratio shows nothing."""
    made = block()
    assert [row.contestant.loop for row in made.rows if made.to_plain(row) is None] == ["plain", "plain", "lotto"]
    assert values(made.to_plain(made.rows[1])) == pytest.approx((1.0, 0.9, 1.1))
    assert values(made.to_plain(made.rows[2])) == pytest.approx((2.0, 2.0, 2.0))
    assert values(made.to_plain(made.rows[4])) == pytest.approx((1.5, 1.5, 1.5))


def test_sparse_is_compared_with_dense_of_as_many_replicates() -> None:
    found = block().sparse_to_dense
    assert list(found) == [1, 5]
    assert values(found[1]) == pytest.approx((1.2, 12 / 11, 12 / 9))
    assert values(found[5]) == pytest.approx((3.0, 2.5, 3.5))


def test_what_evaluation_costs_is_no_ratio_to_the_plain_loop() -> None:
    made = block()
    assert made.evaluated is made.rows[-1] and made.to_plain(made.rows[-1]) is None
    assert values(made.with_evaluation) == pytest.approx((0.75, 0.75, 0.75))


def test_peak_memory_is_the_highest_of_the_rounds_if_it_is_known() -> None:
    made = block()
    assert peak_memory(made.rows[0]) == 300_000_000
    assert peak_memory(made.rows[3]) is None
