"""Batched augmentation against one image at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lotto.data.augment import HorizontalFlip, PadCrop
from lotto.errors import BadRequest


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (40, 3, 7, 5), dtype=torch.uint8, generator=generator())


def crop_by_hand(image: Tensor, top: int, left: int, padding: int) -> Tensor:
    """Looks every pixel up: black outside the image."""
    channels, height, width = image.shape
    cropped = torch.zeros_like(image)
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                row, column = y + top - padding, x + left - padding
                if 0 <= row < height and 0 <= column < width:
                    cropped[channel, y, x] = image[channel, row, column]
    return cropped


def test_flip_mirrors_left_to_right_where_drawn(images: Tensor) -> None:
    draws = HorizontalFlip().draws(40, generator())
    flipped = HorizontalFlip().apply(images, draws)
    for image, drawn, found in zip(images, draws["flip"], flipped, strict=True):
        assert torch.equal(found, torch.stack(image.unbind(-1)[::-1], dim=-1) if drawn else image)


def test_crop_equals_one_image_at_a_time(images: Tensor) -> None:
    crop = PadCrop(2)
    draws = crop.draws(40, generator())
    found = crop.apply(images, draws)
    wanted = [crop_by_hand(i, int(t), int(s), 2) for i, t, s in zip(images, draws["top"], draws["left"], strict=True)]
    assert found.dtype == torch.uint8
    assert torch.equal(found, torch.stack(wanted))


def test_flip_is_fair() -> None:
    flips = HorizontalFlip().draws(20_000, generator())["flip"]
    assert abs(flips.float().mean().item() - 0.5) < 0.02


def test_every_crop_is_equally_likely() -> None:
    draws = PadCrop(4).draws(81_000, generator())
    counts = torch.bincount(draws["top"] * 9 + draws["left"], minlength=81)
    assert len(counts) == 81
    assert counts.min() > 850 and counts.max() < 1150


def test_padding_must_be_positive() -> None:
    with pytest.raises(BadRequest, match="padding=0"):
        PadCrop(0)
