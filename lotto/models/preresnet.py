"""Residual networks that are activated before each convolution, as made for CIFAR: PreResNet-29, 101, 164."""

from __future__ import annotations

import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.checks import require_positive

_EXPANSION = 4
_LAYERS_OF_A_BLOCK = 3


class PreActivationBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, batch normalisation and ReLU before each, beside a shortcut (He et al. 2016, Identity Mappings).

    Where the shape changes the shortcut is a strided 1x1 convolution of the block's input, without normalisation.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, _EXPANSION * width, kernel_size=1, bias=False)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != _EXPANSION * width:
            self.shortcut.append(nn.Conv2d(channels, _EXPANSION * width, kernel_size=1, stride=stride, bias=False))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.conv1(self.bn1(inputs).relu())
        hidden = self.conv2(self.bn2(hidden).relu())
        hidden = self.conv3(self.bn3(hidden).relu())
        return hidden + self.shortcut(inputs)


class PreResNet(nn.Module):
    """A 3x3 stem, three stages of ``width``, 2 and 4 times ``width`` channels with (depth - 2) / 9 bottleneck blocks each, a last
    normalisation, global average pooling and the classifier.

    PreResNet-101 of 16 channels is the network of network slimming's code and of You et al. (2020). Every stage but the first halves the
    image. Parameters are named ``conv``, ``blocks.{b}.*`` with b counted through all stages, ``bn`` and ``fc``.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` unless ``depth`` is 9n + 2 with n of at least 1.
    """

    output_layer = "fc"

    def __init__(self, input_shape: tuple[int, int, int], classes: int, depth: int = 101, width: int = 16) -> None:
        super().__init__()
        blocks_per_stage, remainder = divmod(depth - 2, 3 * _LAYERS_OF_A_BLOCK)
        if remainder or blocks_per_stage < 1:
            raise BadRequest(
                f"model.depth={depth} is not allowed: a PreResNet has 9n + 2 layers, such as 29, 101 or 164"
            )
        require_positive("model.width", width)
        self.conv = nn.Conv2d(input_shape[0], width, kernel_size=3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        channels = width
        for stage in range(3):
            for block in range(blocks_per_stage):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(PreActivationBottleneck(channels, width * 2**stage, stride))
                channels = _EXPANSION * width * 2**stage
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.blocks(self.conv(inputs))
        return self.fc(self.bn(hidden).relu().mean(dim=(2, 3)))
