"""VGG with batch normalisation and a single linear layer, as it is used on CIFAR."""

from __future__ import annotations

import torch
from torch import nn

from lotto.models.checks import require_halvings, require_one_of

_STAGE_WIDTHS = (64, 128, 256, 512, 512)
_CONVS_PER_STAGE = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class ConvBlock(nn.Module):
    """A 3x3 convolution, batch normalisation and ReLU."""

    def __init__(self, channels: int, width: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=bias)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(inputs)).relu()


class CifarVgg(nn.Module):
    """VGG-11, 13, 16 or 19: five stages with a 2x2 max-pool between them, global average pooling and the classifier.

    VGG-19 is the network of Frankle & Carbin (2019), 20,024,000 weights on CIFAR-10. Parameters are named as in
    OpenLTH: ``layers.{i}.conv``, ``layers.{i}.bn`` and ``fc``, where i counts the max-pools too. On 32x32 images the
    global average is the papers' 2x2 average pool; other sizes keep the same parameters.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for another depth or an
    image below 16x16.
    """

    output_layer = "fc"

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, depth: int = 16, conv_bias: bool = True
    ) -> None:
        super().__init__()
        require_one_of("model.depth", depth, _CONVS_PER_STAGE)
        require_halvings(f"VGG-{depth}", input_shape, len(_STAGE_WIDTHS) - 1)

        self.layers = nn.Sequential()
        channels = input_shape[0]
        for stage, (width, convs) in enumerate(zip(_STAGE_WIDTHS, _CONVS_PER_STAGE[depth], strict=True)):
            if stage > 0:
                self.layers.append(nn.MaxPool2d(kernel_size=2))
            for _ in range(convs):
                self.layers.append(ConvBlock(channels, width, conv_bias))
                channels = width
        self.fc = nn.Linear(channels, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(inputs).mean(dim=(2, 3)))
