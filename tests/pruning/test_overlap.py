"""The overlap of copies: laws of the intersection, and numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lotto.mask import Mask
from lotto.pruning.allocate import Rule
from lotto.pruning.overlap import overlap, overlap_numbers, with_floor
from lotto.pruning.prune import prune_mask
from lotto.schedule import Rounds

KINDS = {"a": "conv", "b": "conv", "head": "output"}
RULE = Rule("global", 0.15, ("output",))


def mask(**rows: list[int]) -> Mask:
    return Mask({name: torch.tensor(row) for name, row in rows.items()})


def pruned(before: Mask, seed: int) -> Mask:
    """What a copy with random scores keeps."""
    generator = torch.Generator().manual_seed(seed)
    scores = {name: torch.rand(kept.shape, generator=generator) for name, kept in before.items()}
    return prune_mask(scores, before, KINDS, RULE, Rounds(1))


def dense(size: int) -> Mask:
    return Mask({"a": torch.ones(size, 3), "b": torch.ones(2 * size), "head": torch.ones(5)})


def body(kept: Mask) -> int:
    return kept.remaining - int(kept["head"].sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 200), st.integers(1, 4), st.integers(0, 2**31), st.integers(1, 4))
def test_survivors_lie_between_the_bounds_round_after_round(size: int, copies: int, seed: int, rounds: int) -> None:
    before = dense(size)
    for number in range(rounds):
        masks = [pruned(before, seed + 10 * number + copy) for copy in range(copies)]
        common = overlap(masks)
        removed = round(0.15 * body(before))
        assert body(before) - copies * removed <= body(common) <= body(before) - removed
        assert all(common <= one for one in masks) and common <= before
        assert common == overlap(masks[::-1])
        assert bool(common["head"].all())
        numbers = overlap_numbers(common, masks, before, ["a", "b"])
        assert numbers["overlap_survival"] == body(common) / body(before)
        before = common


def test_independent_scores_leave_what_chance_leaves() -> None:
    before = Mask({"a": torch.ones(200, 3), "b": torch.ones(4000), "head": torch.ones(5)})
    count = body(before)
    for copies in (2, 3):
        left = [body(overlap([pruned(before, 100 * trial + copy) for copy in range(copies)])) for trial in range(25)]
        wanted = 0.85**copies
        # Each count has less spread than independent draws of every weight would give it.
        error = math.sqrt(wanted * (1 - wanted) / count / len(left))
        assert abs(sum(left) / len(left) / count - wanted) < 3 * error


def test_identical_copies_change_nothing() -> None:
    one = pruned(dense(50), 3)
    assert overlap([one, one, one]) == one
    numbers = overlap_numbers(one, [one, one, one], dense(50), ["a", "b"])
    assert numbers == {"overlap_iou": 1.0, "overlap_survival": body(one) / 250}


def test_numbers_by_hand() -> None:
    before = mask(a=[1, 1, 1, 1, 0], head=[1, 1])
    masks = [mask(a=[1, 1, 1, 0, 0], head=[1, 1]), mask(a=[0, 1, 1, 1, 0], head=[1, 1])]
    common = overlap(masks)
    assert common == mask(a=[0, 1, 1, 0, 0], head=[1, 1])
    assert overlap_numbers(common, masks, before, ["a"]) == {"overlap_iou": 2 / 4, "overlap_survival": 2 / 4}


def test_the_floor_brings_back_what_most_copies_keep() -> None:
    before = mask(a=[1, 1, 1, 1, 0], b=[1, 1, 1, 1, 1])
    masks = [
        mask(a=[1, 0, 0, 0, 0], b=[1, 1, 0, 0, 0]),
        mask(a=[0, 1, 1, 0, 0], b=[1, 1, 0, 0, 0]),
        mask(a=[0, 1, 1, 0, 0], b=[0, 1, 1, 0, 0]),
    ]
    common = overlap(masks)
    assert common == mask(a=[0, 0, 0, 0, 0], b=[0, 1, 0, 0, 0])
    sizes = {"a": torch.tensor([9.0, 1.0, 2.0, 8.0, 99.0]), "b": torch.tensor([0.0, 1.0, 5.0, 6.0, 7.0])}
    assert with_floor(common, masks, before, sizes, 1) == mask(a=[0, 0, 1, 0, 0], b=[0, 1, 0, 0, 0])
    assert with_floor(common, masks, before, sizes, 2) == mask(a=[0, 1, 1, 0, 0], b=[1, 1, 0, 0, 0])
    assert with_floor(common, masks, before, sizes, 3) == mask(a=[1, 1, 1, 0, 0], b=[1, 1, 1, 0, 0])
    # Never more than there was before.
    assert with_floor(common, masks, before, sizes, 9) == before


def test_the_floor_goes_by_size_where_no_copy_keeps_any() -> None:
    before, empty = mask(a=[1, 1, 0]), mask(a=[0, 0, 0])
    made = with_floor(empty, [empty, empty], before, {"a": torch.tensor([1.0, 2.0, 3.0])}, 1)
    assert made == mask(a=[0, 1, 0])
    nothing = with_floor(empty, [empty, empty], before, {"a": torch.zeros(3)}, 1)
    assert nothing == mask(a=[1, 0, 0])


@pytest.mark.parametrize("floor", [1, 4])
@given(seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_a_floor_holds_and_takes_nothing_away(floor: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    before = Mask({name: torch.rand(size, generator=generator) < 0.8 for name, size in (("a", 6), ("b", 30))})
    masks = [
        before & Mask({name: torch.rand(len(kept), generator=generator) < 0.3 for name, kept in before.items()})
        for _ in range(3)
    ]
    common = overlap(masks)
    sizes = {name: torch.rand(len(kept), generator=generator) for name, kept in before.items()}
    made = with_floor(common, masks, before, sizes, floor)
    assert common <= made and made <= before
    for name, kept in made.items():
        assert int(kept.sum()) == max(int(common[name].sum()), min(floor, int(before[name].sum())))
