"""Images that nobody took, so that speed can be measured where no data set lies."""

from __future__ import annotations

import numpy as np
import torch

from lotto.data.base import Labelled, ResidentData


class MadeUp(ResidentData):
    """Random pixels with random labels, in the number and the shape that are declared."""

    def read(self) -> tuple[Labelled, Labelled]:
        given = self.sizes["train"] + self.sizes["validation"]
        return (
            made_up(given, self.input_shape, self.classes),
            made_up(self.sizes["test"], self.input_shape, self.classes),
        )


def made_up(examples: int, shape: tuple[int, int, int], classes: int) -> Labelled:
    """The same images every time."""
    drawn = np.random.default_rng(0)  # draws bytes several times faster than torch
    images = drawn.integers(256, size=(examples, *shape), dtype=np.uint8)
    return Labelled(torch.from_numpy(images), torch.from_numpy(drawn.integers(classes, size=examples)))
