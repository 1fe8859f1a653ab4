"""Distances, thresholds and the queue, against values worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lotto.early_bird.channels import by_layer, guarded, largest
from lotto.early_bird.distance import by_chance, distance
from lotto.early_bird.watch import Watch
from lotto.errors import LottoError
from lotto.models.anatomy import scale_counts
from lotto.models.resnet import CifarResNet

MASKS = st.integers(1, 40).flatmap(lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 3))


def bits(text: str) -> Tensor:
    return torch.tensor([letter == "1" for letter in text])


@pytest.mark.parametrize(
    ("one", "other", "tenths"),
    [
        ("1111100000", "1111100000", 0),
        ("1111100000", "1111000000", 1),
        ("1111100000", "1111000001", 2),
        ("1010101010", "0101010101", 10),
        ("1111111111", "1110001111", 3),
    ],
)
def test_ten_bits_give_exact_tenths(one: str, other: str, tenths: int) -> None:
    assert distance(bits(one), bits(other)) == tenths / 10


@given(MASKS)
def test_it_is_a_distance(masks: tuple[list[bool], list[bool], list[bool]]) -> None:
    a, b, c = (torch.tensor(mask) for mask in masks)
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a) == sum(x != y for x, y in zip(*masks[:2], strict=True)) / len(a)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12


def test_masks_of_other_shapes_have_none() -> None:
    for one, other in (
        (torch.ones(3), torch.ones(4)),
        (torch.ones(2, 2), torch.ones(2, 2)),
        (torch.ones(0), torch.ones(0)),
    ):
        with pytest.raises(LottoError, match="no distance"):
            distance(one, other)


def test_random_masks_lie_as_far_apart_as_chance_says() -> None:
    assert [by_chance(p) for p in (0.1, 0.3, 0.5)] == pytest.approx([0.18, 0.42, 0.5])
    torch.manual_seed(0)
    for ratio in (0.1, 0.3, 0.5, 0.7):
        one, other = (torch.rand(200_000) > ratio for _ in range(2))
        assert distance(one, other) == pytest.approx(by_chance(ratio), abs=0.005)


# -- the queue ----------------------------------------------------------------------------------------------------------------------


def settles(masks: list[Tensor], epsilon: float = 0.1, length: int = 5) -> list[int]:
    """The places in a sequence at which the watch says that masks have settled."""
    watch, found = Watch(epsilon, length), []
    for place, mask in enumerate(masks):
        watch.push(mask)
        assert len(watch.masks) <= length
        if watch.settled:
            found.append(place)
    return found


def test_masks_that_stand_still_have_settled_when_the_fifth_is_pushed() -> None:
    mask = torch.rand(100) > 0.5
    assert settles([mask] * 7) == [4, 5, 6]
    assert settles([mask] * 7, length=3) == [2, 3, 4, 5, 6]


def test_a_mask_that_leaps_is_a_move_until_it_has_left_the_queue() -> None:
    mask = torch.ones(100, dtype=torch.bool)
    leap = mask.clone()
    leap[:11] = False
    assert settles([mask] * 5 + [leap] + [mask] * 6) == [4, 10, 11]


def test_a_tenth_is_no_move_and_a_channel_more_is() -> None:
    mask = torch.ones(100, dtype=torch.bool)
    near, far = mask.clone(), mask.clone()
    near[:10], far[:11] = False, False
    assert settles([mask] * 4 + [near]) == [4]
    assert settles([mask] * 4 + [far]) == []
    for channels in (10, 30, 70, 4224 // 10 * 10):  # a tenth of any number of channels is no more than 0.1
        mask = torch.ones(channels, dtype=torch.bool)
        moved = mask.clone()
        moved[: channels // 10] = False
        assert settles([mask] * 4 + [moved]) == [4]


def test_a_slow_drift_is_seen_across_the_whole_queue() -> None:
    """Each step is a thirtieth; four of them are more than a tenth."""
    masks = []
    for step in range(8):
        mask = torch.ones(30, dtype=torch.bool)
        mask[: step if step < 5 else 4] = False
        masks.append(mask)
    watch = Watch()
    for mask in masks[:5]:
        watch.push(mask)
    assert watch.distances == (1 / 30, 2 / 30, 3 / 30, 4 / 30)
    assert not watch.settled
    assert settles(masks) == [5, 6, 7]


def test_mean_distance_counts_one_until_the_queue_is_full() -> None:
    watch = Watch()
    mask = torch.zeros(10, dtype=torch.bool)
    for _ in range(4):
        watch.push(mask)
        assert watch.mean == 1.0 and watch.distances == ()
    last = mask.clone()
    last[:2] = True
    watch.push(last)
    assert watch.distances == (0.2, 0.2, 0.2, 0.2)
    assert watch.mean == pytest.approx(0.2)


# -- the threshold -------------------------------------------------------------------------------------------------------------------


def test_the_threshold_is_the_value_at_the_floor_of_p_times_c_and_what_equals_it_goes() -> None:
    scales = torch.tensor([0.3, 0.1, 0.5, 0.2, 0.4])
    # sorted: .1 .2 .3 .4 .5; floor(.5 * 5) = 2: above .3
    assert largest(scales, 0.5).tolist() == [False, False, True, False, True]
    assert largest(scales, 0.0).tolist() == [True, False, True, True, True]
    tied = torch.tensor([0.1, 0.2, 0.2, 0.2, 0.9])
    assert largest(tied, 0.3).tolist() == [False, False, False, False, True]


def test_before_the_first_epoch_no_channel_is_kept() -> None:
    assert not largest(torch.full((64,), 0.5), 0.3).any()


@given(st.integers(1, 9), st.integers(1, 400), st.integers(0, 99))
def test_without_ties_one_more_than_the_floor_goes(seed: int, channels: int, percent: int) -> None:
    """The ratio is the decimal number that was asked for: 29% of 100 is 29 whatever 0.29 * 100 is in floats."""
    scales = torch.randperm(channels, generator=torch.Generator().manual_seed(seed)).float() + 1
    expected = math.floor(Fraction(percent, 100) * channels) + 1
    assert int((~largest(scales, percent / 100)).sum()) == expected


def test_a_ratio_is_the_decimal_that_it_is_written_as() -> None:
    assert 0.29 * 100 < 29
    assert int((~largest(torch.arange(1.0, 101.0), 0.29)).sum()) == 30


def test_neither_scale_nor_sign_matters() -> None:
    torch.manual_seed(1)
    scales = torch.randn(96)
    flipped = scales * torch.where(torch.rand(96) < 0.5, -1.0, 1.0)
    mask = largest(scales.abs(), 0.4)
    assert torch.equal(largest((scales * 8).abs(), 0.4), mask)
    assert torch.equal(largest(flipped.abs(), 0.4), mask)


def test_an_emptied_layer_keeps_its_first_channel_and_others_stay_as_they_are() -> None:
    kept, emptied = guarded({"a": bits("000"), "b": bits("010")})
    assert emptied == ["a"]
    assert kept["a"].tolist() == [True, False, False] and kept["b"].tolist() == [False, True, False]


def test_all_layers_take_part_downsampling_ones_too() -> None:
    model = CifarResNet((3, 8, 8), 10, depth=8, width=4)
    counts = scale_counts(model)
    assert sum("shortcut" in name for name in counts) == 2
    assert sum(counts.values()) == sum(m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    cut = by_layer(torch.arange(sum(counts.values())) % 2 == 0, counts)
    assert list(cut) == list(counts) and [len(own) for own in cut.values()] == list(counts.values())
