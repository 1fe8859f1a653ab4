"""The random part of an image that training sees of a streamed image."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from PIL import Image

from lotto.errors import BadRequest

_ATTEMPTS = 10


class RandomView:
    """A random rectangle, scaled to a square and mirrored with probability one half (Szegedy et al., 2015).

    Args:
        scale: least and greatest share of the image's area.
        ratio: least and greatest width over height, drawn evenly in its logarithm.
    """

    def __init__(self, scale: Sequence[float], ratio: Sequence[float]) -> None:
        if not (len(scale) == 2 and 0 < scale[0] <= scale[1] <= 1):
            raise BadRequest(
                f"data.augment.scale={list(scale)} is not allowed: two ascending shares above 0 and at most 1."
            )
        if not (len(ratio) == 2 and 0 < ratio[0] <= ratio[1]):
            raise BadRequest(f"data.augment.ratio={list(ratio)} is not allowed: two ascending numbers above 0.")
        self.scale = scale
        self.ratio = ratio

    def __call__(self, image: Image.Image, size: int, draw: random.Random) -> Image.Image:
        """The view of ``image`` as ``size`` x ``size`` pixels, chosen by ``draw`` alone."""
        view = image.crop(self._box(*image.size, draw)).resize((size, size), Image.Resampling.BILINEAR)
        return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draw.random() < 0.5 else view

    def _box(self, width: int, height: int, draw: random.Random) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the first drawn rectangle that fits in the image, or else of the middle."""
        for _ in range(_ATTEMPTS):
            area = width * height * draw.uniform(*self.scale)
            ratio = math.exp(draw.uniform(*map(math.log, self.ratio)))
            across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < across <= width and 0 < down <= height:
                left, top = draw.randint(0, width - across), draw.randint(0, height - down)
                return left, top, left + across, top + down
        return self._middle(width, height)

    def _middle(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The greatest rectangle of an allowed ratio, in the middle of the image."""
        across = min(width, max(1, round(height * self.ratio[1])))
        down = min(height, max(1, round(width / self.ratio[0])))
        left, top = (width - across) // 2, (height - down) // 2
        return left, top, left + across, top + down
