"""A few convolutions with batch normalisation, for images of a handful of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lotto.models.checks import require_positive
from lotto.models.vgg import ConvBlock


class SmallConvNet(nn.Module):
    """3x3 convolutions of the given widths, each with batch normalisation and ReLU, global average pooling and the classifier.

    No convolution changes the size of the image. Parameters are named ``layers.{i}.conv``, ``layers.{i}.bn`` and ``fc``.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for a width below 1.
    """

    output_layer = "fc"

    def __init__(self, input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (32, 64, 64)) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        channels = input_shape[0]
        for width in widths:
            require_positive("model.widths", width)
            self.layers.append(ConvBlock(channels, width, bias=False))
            channels = width
        self.fc = nn.Linear(channels, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(inputs).mean(dim=(2, 3)))
