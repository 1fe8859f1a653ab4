"""From uint8 images to float32 inputs, in batches and on the device.

Each is a module from uint8 ``[N, C, H, W]`` to float32 of the same shape. What is summed over an image is summed in
integers, so that no result depends on the size of the batch or on the device's order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest


class Scale(nn.Module):
    """Divides by the largest value, so that inputs lie in [0, 1]."""

    def __init__(self, by: float) -> None:
        super().__init__()
        if by <= 0:
            raise BadRequest(f"data.normalise.by={by} is not allowed: a positive number.")
        self.by = by

    def forward(self, images: Tensor) -> Tensor:
        return images.float().div_(self.by)


class Channel(nn.Module):
    """Scales to [0, 1], then subtracts each channel's mean and divides by its standard deviation.

    One value stands for all channels. The operations and their order are those of torchvision's ToTensor and Normalize.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], scale: float = 255) -> None:
        super().__init__()
        if len(mean) != len(std):
            raise BadRequest(
                f"data.normalise has {len(mean)} values of mean and {len(std)} of std: one of each a channel."
            )
        if min(std) <= 0:
            raise BadRequest(f"data.normalise.std={list(std)} is not allowed: every value is positive.")
        self.scale = scale
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if len(self.mean) not in (1, images.shape[1]):
            raise BadRequest(
                f"data.normalise.mean has {len(self.mean)} values where the images have {images.shape[1]} channels: "
                "give one value a channel, or a single one."
            )
        return images.float().div_(self.scale).sub_(self.mean).div_(self.std)


class PerImageL2(nn.Module):
    """Divides each image by its Euclidean norm, as the code of Frankle & Carbin (2019) does; black stays black."""

    def forward(self, images: Tensor) -> Tensor:
        squares = _total(images.int().square())
        return images.float().div_(squares.clamp_(min=1).float().sqrt_())


class PerImageStandard(nn.Module):
    """Shifts and scales each image to mean 0 and standard deviation 1.

    The deviation is bounded below by one grey level over the root of the number of values, so that a plain image does
    not blow up.
    """

    def forward(self, images: Tensor) -> Tensor:
        count = math.prod(images.shape[1:])
        total, squares = _total(images), _total(images.int().square())
        spread = (squares * count - total.square()).float().sqrt_().div_(count)
        return images.float().sub_(total.float().div_(count)).div_(spread.clamp_(min=1 / math.sqrt(count)))


def _total(values: Tensor) -> Tensor:
    """The exact sum over each image: integers ``[N, C, H, W]`` to int64 ``[N, 1, 1, 1]``."""
    return values.sum(dim=(1, 2, 3), keepdim=True, dtype=torch.int64)
