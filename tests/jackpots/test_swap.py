"""Exchanges of a mask's weights, against hand-worked cases and laws."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lotto.jackpots.swap import RESTRICTIONS, scores_of, swapped


def mask(*bits: int) -> Tensor:
    return torch.tensor(bits, dtype=torch.bool)


def test_by_hand() -> None:
    scores = torch.tensor([0.9, 0.2, 0.8, 0.1, 0.7, 0.3])
    kept = mask(
        0, 1, 0, 1, 1, 0
    )  # three are pruned: the third smallest score is 0.3; 0.9 and 0.8 would come in, 0.2 and 0.1 go
    assert torch.equal(swapped(scores, kept, 1.0), mask(1, 0, 1, 0, 1, 0))
    # One exchange: the highest comes in for the lowest.
    assert torch.equal(swapped(scores, kept, 0.0), mask(1, 1, 0, 0, 1, 0))
    assert torch.equal(swapped(scores, kept, 0.5), mask(1, 1, 0, 0, 1, 0))
    assert torch.equal(swapped(scores, kept, 0.51), mask(1, 0, 1, 0, 1, 0))


def test_scores_count_with_their_sign() -> None:
    assert torch.equal(swapped(torch.tensor([-5.0, 1.0, 2.0]), mask(1, 0, 1), 1.0), mask(0, 1, 1))


def test_what_is_whole_or_empty_stays() -> None:
    scores = torch.rand(4)
    for kept in (mask(1, 1, 1, 1), mask(0, 0, 0, 0)):
        assert torch.equal(swapped(scores, kept, 1.0), kept)


def test_the_first_scores_ask_for_no_exchange() -> None:
    kept = torch.rand(40) < 0.3
    assert torch.equal(swapped(scores_of(kept, 0.01, torch.float32), kept, 1.0), kept)


def test_ties_exchange_the_first_of_the_lesser_side() -> None:
    # The second smallest score is 1: one kept weight scores 1 or less, and two pruned ones more.
    assert torch.equal(swapped(torch.tensor([2.0, 1.0, 2.0, 1.0]), mask(0, 1, 0, 1), 1.0), mask(1, 0, 1, 0))
    assert torch.equal(swapped(torch.tensor([2.0, 1.0, 2.0, 1.0]), mask(0, 1, 0, 1), 0.0), mask(1, 0, 0, 1))


def test_equal_scores_are_no_reason_to_exchange() -> None:
    # The second smallest score is 1, and no pruned weight is above it.
    assert torch.equal(swapped(torch.ones(4), mask(0, 1, 0, 1), 1.0), mask(0, 1, 0, 1))


@given(st.integers(2, 40), st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_counts_stay_and_a_full_exchange_is_the_highest_scores(
    size: int, seed: int, restriction: float, tied: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(size, generator=generator)
    if tied:
        scores = (scores * 4).round()
    kept = torch.rand(size, generator=generator) < 0.5
    after = swapped(scores, kept, restriction)
    assert after.sum() == kept.sum()
    if restriction == 1.0 and not tied:
        highest = torch.zeros(size, dtype=torch.bool)
        highest[scores.topk(int(kept.sum())).indices] = True
        assert torch.equal(after, highest)
    if restriction == 0.0:
        assert int((after != kept).sum()) in (0, 2)
    # Nothing is exchanged for a lower score.
    if (came := after & ~kept).any():
        assert scores[came].min() >= scores[kept & ~after].max()


def test_the_more_restriction_is_lifted_the_more_is_exchanged() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, kept = torch.rand(200, generator=generator), torch.rand(200, generator=generator) < 0.5
    exchanged = [int((swapped(scores, kept, part / 10) != kept).sum()) for part in range(11)]
    assert exchanged == sorted(exchanged)
    assert exchanged[0] == 2 < exchanged[5] < exchanged[10]


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [("none", 0.9, 1.0), ("quartic", 0.0, 1.0), ("quartic", 0.5, 1 / 16), ("cosine", 0.5, 0.5), ("cosine", 1 / 3, 0.75), ("one", 0.0, 0.0)],
)  # fmt: skip
def test_restrictions(name: str, part: float, expected: float) -> None:
    assert math.isclose(RESTRICTIONS[name](part), expected, abs_tol=1e-12)


def test_where_the_loss_is_linear_every_exchange_lowers_it_and_the_best_mask_is_found() -> None:
    """L = sum of a_i B_i W_i: the gradient of a score is the constant a_i W_i, and B comes to the K smallest of them."""
    generator = torch.Generator().manual_seed(1)
    worth = torch.randn(60, generator=generator, dtype=torch.float64)  # a_i W_i
    kept = torch.zeros(60, dtype=torch.bool)
    kept[torch.randperm(60, generator=generator)[:20]] = True
    scores = scores_of(kept, 0.01, torch.float64)
    losses = [float(worth[kept].sum())]
    for _ in range(200):
        scores = scores - 0.01 * worth
        kept = swapped(scores, kept, 0.0)
        losses.append(float(worth[kept].sum()))
    best = torch.zeros(60, dtype=torch.bool)
    best[worth.topk(20, largest=False).indices] = True
    assert torch.equal(kept, best)
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_with_correlated_inputs_a_full_exchange_raises_a_loss_further_than_a_single_one_can() -> None:
    """What the restriction is for: weights that would each help alone undo one another together.

    Steps that raise the loss are about as many either way; it is the size of the rise that is restricted.
    """
    generator = torch.Generator().manual_seed(2)
    common = torch.randn(200, 1, generator=generator, dtype=torch.float64)
    x = common + 0.3 * torch.randn(200, 40, generator=generator, dtype=torch.float64)
    weights = torch.rand(40, generator=generator, dtype=torch.float64)
    target = x[:, :10] @ weights[:10]

    def worst_rise(restriction: float) -> float:
        kept = torch.arange(40) >= 30
        scores = scores_of(kept, 0.01, torch.float64)
        losses = []
        for _ in range(100):
            residual = x @ (weights * kept) - target
            losses.append(float(residual.square().mean()))
            scores = scores - 0.05 * weights * (2 * x.T @ residual / len(x))
            kept = swapped(scores, kept, restriction)
        return max(later - earlier for earlier, later in pairwise(losses))

    assert worst_rise(1.0) > 2 * worst_rise(0.0) > 0
