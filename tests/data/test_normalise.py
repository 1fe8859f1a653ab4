"""Normalisation against its formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import functional

from lotto.data.normalise import Channel, PerImageL2, PerImageStandard, Scale
from lotto.errors import BadRequest


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (9, 3, 12, 11), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def test_scale_divides() -> None:
    assert torch.equal(Scale(16)(torch.tensor([[[[0, 4, 16]]]], dtype=torch.uint8)), torch.tensor([[[[0, 0.25, 1]]]]))


def test_channel_is_torchvisions_to_the_bit(images: Tensor) -> None:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    assert torch.equal(Channel(mean, std)(images), functional.normalize(images.float() / 255, mean, std))


def test_one_constant_stands_for_all_channels(images: Tensor) -> None:
    assert torch.equal(Channel([0.5], [0.2])(images), Channel([0.5] * 3, [0.2] * 3)(images))


def test_l2_gives_images_of_norm_one(images: Tensor) -> None:
    wanted = images.double() / images.double().flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(PerImageL2()(images).double(), wanted, rtol=1e-6, atol=0)


def test_standard_gives_mean_zero_and_deviation_one(images: Tensor) -> None:
    flat = images.double().flatten(1)
    wanted = (flat - flat.mean(1, keepdim=True)) / flat.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(PerImageStandard()(images).double().flatten(1), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("normalise", [PerImageL2(), PerImageStandard()], ids=lambda n: type(n).__name__)
def test_plain_images_become_zero_or_stay_finite(normalise: nn.Module) -> None:
    assert torch.equal(normalise(torch.zeros(2, 1, 4, 4, dtype=torch.uint8)), torch.zeros(2, 1, 4, 4))
    assert torch.isfinite(normalise(torch.full((2, 1, 4, 4), 255, dtype=torch.uint8))).all()


@pytest.mark.parametrize("normalise", [PerImageL2(), PerImageStandard()], ids=lambda n: type(n).__name__)
def test_an_image_is_normalised_alike_in_any_batch(normalise: nn.Module, images: Tensor) -> None:
    assert torch.equal(normalise(images), torch.cat([normalise(image[None]) for image in images]))


def test_constants_must_fit_the_channels(images: Tensor) -> None:
    with pytest.raises(BadRequest, match=r"data.normalise.mean has 2 values where the images have 3 channels"):
        Channel([0.1, 0.2], [1, 1])(images)


@pytest.mark.parametrize(("mean", "std"), [([0.1], [0.2, 0.3]), ([0.1], [0.0])])
def test_constants_must_be_usable(mean: list[float], std: list[float]) -> None:
    with pytest.raises(BadRequest, match=r"data\.normalise"):
        Channel(mean, std)
