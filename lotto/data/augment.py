"""Random changes to training images, made in batches on the device.

An augmentation draws for all images of an epoch at once and is then applied to any batch of them with that batch's
rows of the draws, so that a batch is the same however training came to it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from lotto.errors import BadRequest


class Augmentation(Protocol):
    """A random change to uint8 images ``[N, C, H, W]`` that keeps their shape."""

    def draws(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """What ``n`` images need drawn: named CPU tensors ``[n]``."""

    def apply(self, images: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """The changed images, given one row of each draw per image, on the images' device."""


class HorizontalFlip:
    """Mirrors an image left to right with probability one half."""

    def draws(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"flip": torch.rand(n, generator=generator) < 0.5}

    def apply(self, images: Tensor, draws: dict[str, Tensor]) -> Tensor:
        return torch.where(draws["flip"].view(-1, 1, 1, 1), images.flip(-1), images)


class PadCrop:
    """Surrounds an image with ``padding`` black pixels and cuts its own size out again, anywhere alike."""

    def __init__(self, padding: int) -> None:
        if padding < 1:
            raise BadRequest(f"data.augment: PadCrop with padding={padding} is not allowed: at least 1 pixel.")
        self.padding = padding

    def draws(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        places = 2 * self.padding + 1
        return {side: torch.randint(places, (n,), generator=generator) for side in ("top", "left")}

    def apply(self, images: Tensor, draws: dict[str, Tensor]) -> Tensor:
        height, width = images.shape[-2:]
        padded = F.pad(images, (self.padding,) * 4)
        # A view of every possible crop, [N, top, left, C, H, W]: only the chosen ones are copied.
        crops = padded.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
        return crops[torch.arange(len(images), device=images.device), draws["top"], draws["left"]]


class Rotation:
    """Turns an image about its middle by an angle anywhere between ``-degrees`` and ``degrees``; what comes in from outside is black.

    Every pixel is the nearest one of the image, as in torchvision's RandomRotation by default.
    """

    def __init__(self, degrees: float) -> None:
        if not 0 < degrees <= 180:
            raise BadRequest(f"data.augment: Rotation with degrees={degrees} is not allowed: above 0, at most 180.")
        self.degrees = degrees

    def draws(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"angle": (2 * torch.rand(n, generator=generator) - 1) * self.degrees}

    def apply(self, images: Tensor, draws: dict[str, Tensor]) -> Tensor:
        height, width = images.shape[-2:]
        angle = draws["angle"].deg2rad()
        cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # Places count from -1 to 1 along each side, whatever its length in pixels.
        rows = torch.stack(
            [torch.stack([cos, -sin * height / width, none], 1), torch.stack([sin * width / height, cos, none], 1)], 1
        )
        grid = F.affine_grid(rows, list(images.shape), align_corners=False)
        turned = F.grid_sample(images.float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
        return turned.to(images.dtype)
