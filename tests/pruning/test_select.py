"""Exactly k, ties by index."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import LottoError
from lotto.pruning.select import keep_highest


def kept(scores: list[float], alive: list[int], count: int) -> list[int]:
    return keep_highest(torch.tensor(scores), torch.tensor(alive, dtype=torch.bool), count).int().tolist()


@pytest.mark.parametrize(
    ("scores", "alive", "count", "expected"),
    [
        ([3, 1, 2, 5], [1, 1, 1, 1], 2, [1, 0, 0, 1]),
        ([3, 1, 2, 5], [1, 1, 1, 0], 2, [1, 0, 1, 0]),  # the dead weight scores highest and stays dead
        ([7, 7, 7, 7], [1, 1, 1, 1], 3, [1, 1, 1, 0]),
        ([7, 7, 7, 7], [0, 1, 1, 1], 1, [0, 1, 0, 0]),
        ([0, 0, 0], [1, 1, 1], 1, [1, 0, 0]),
        ([2, 9, 2, 2], [1, 1, 1, 1], 3, [1, 1, 1, 0]),
        ([-5, -1, -3], [1, 1, 1], 1, [0, 1, 0]),
        ([0.0, -0.0], [1, 1], 1, [1, 0]),
        ([float("inf"), 1, float("-inf")], [1, 1, 1], 2, [1, 1, 0]),
        ([float("nan"), 1, 2], [0, 1, 1], 1, [0, 0, 1]),  # a dead weight's score is not looked at
        ([4, 5], [1, 1], 0, [0, 0]),
        ([4, 5], [1, 1], 2, [1, 1]),
        ([4, 5], [0, 0], 0, [0, 0]),
    ],
)
def test_written_out(scores: list[float], alive: list[int], count: int, expected: list[int]) -> None:
    assert kept(scores, alive, count) == expected


@given(st.data())
def test_agrees_with_a_stable_sort(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    # Few different values, so that most draws have ties.
    scores = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.5000001, 2.0]), min_size=size, max_size=size))
    alive = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    count = data.draw(st.integers(0, sum(alive)))
    ranked = sorted((index for index in range(size) if alive[index]), key=lambda index: -scores[index])
    expected = [int(index in ranked[:count]) for index in range(size)]
    assert kept(scores, alive, count) == expected


def test_thousands_of_equal_scores_leave_the_first() -> None:
    mask = keep_highest(torch.ones(10_000, dtype=torch.bfloat16), torch.ones(10_000, dtype=torch.bool), 1234)
    assert torch.equal(mask, torch.arange(10_000) < 1234)


def test_neither_argument_is_changed() -> None:
    scores, alive = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, True, True])
    keep_highest(scores, alive, 1)
    assert scores.tolist() == [1, 2, 3]
    assert alive.all()


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(LottoError, match="scores that are not numbers"):
        kept([1, float("nan"), 3], [1, 1, 1], 1)


def test_more_than_remain_cannot_be_kept() -> None:
    with pytest.raises(LottoError, match="3 weights cannot be kept where 2 remain"):
        kept([1, 2, 3], [1, 0, 1], 3)
