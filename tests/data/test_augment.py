"""Batched augmentation against one image at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import rotate

from lotto.data.augment import HorizontalFlip, PadCrop, Rotation
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


@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_rotation_is_that_of_torchvision(size: tuple[int, int]) -> None:
    """Turned one by one; where a pixel lies between two, either may be the nearest."""
    batch = torch.randint(1, 256, (30, 3, *size), dtype=torch.uint8, generator=generator())
    draws = Rotation(40).draws(30, generator())
    assert draws["angle"].abs().max() <= 40 and draws["angle"].min() < -10 and draws["angle"].max() > 10
    found = Rotation(40).apply(batch, draws)
    # A turn of the grid by an angle turns the image the other way, as torchvision counts it.
    wanted = torch.stack([rotate(one, float(angle)) for one, angle in zip(batch, draws["angle"], strict=True)])
    assert found.dtype == torch.uint8
    assert (found == wanted).float().mean() > 0.99


def test_rotation_by_hand() -> None:
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3)
    turned = Rotation(90).apply(image, {"angle": torch.tensor([90.0])})
    assert turned.flatten().tolist() == torch.rot90(image, 1, (2, 3)).flatten().tolist()
    assert torch.equal(Rotation(90).apply(image, {"angle": torch.tensor([0.0])}), image)


def test_angles_must_be_positive() -> None:
    with pytest.raises(BadRequest, match="degrees=0"):
        Rotation(0)
