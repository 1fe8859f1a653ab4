"""The residual trunk that the CIFAR networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lotto.models.checks import require_positive


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation beside a shortcut, added before the last ReLU.

    The shortcut is the identity where the shape stays and a strided 1x1 projection with batch normalisation where it
    changes (He et al. 2016, option B), which is what both lottery-ticket papers count.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut.append(nn.Conv2d(channels, width, kernel_size=1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(width))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.bn1(self.conv1(inputs)).relu()
        hidden = self.bn2(self.conv2(hidden))
        return (hidden + self.shortcut(inputs)).relu()


class ResidualNetwork(nn.Module):
    """A 3x3 stem, ``blocks_per_stage`` blocks for each width, global average pooling and the classifier.

    Every stage but the first halves the image. Parameters are named as in OpenLTH: ``conv``, ``bn``, ``blocks.{b}.*``
    with b counted through all stages, and ``fc``.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for a width below 1.
    """

    output_layer = "fc"

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, widths: Sequence[int], blocks_per_stage: int
    ) -> None:
        super().__init__()
        require_positive("model.width", widths[0])
        self.conv = nn.Conv2d(input_shape[0], widths[0], kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.blocks = nn.Sequential()
        channels = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks_per_stage):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(ResidualBlock(channels, width, stride))
                channels = width
        self.fc = nn.Linear(channels, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.bn(self.conv(inputs)).relu()
        hidden = self.blocks(hidden)
        return self.fc(hidden.mean(dim=(2, 3)))
