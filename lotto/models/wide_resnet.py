"""Wide residual networks for CIFAR (Zagoruyko & Komodakis 2016), as RigL and its reproduction train them: WRN-22-2."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from lotto.errors import BadRequest
from lotto.models.checks import require_positive


class WideBlock(nn.Module):
    """Normalisation, ReLU and a 3x3 convolution, twice, beside a shortcut; dropout before the second convolution.

    Where the number of channels changes, the shortcut is a 1x1 convolution of what the first ReLU gives; else the input as it is.
    """

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.shortcut = (
            None if channels == width else nn.Conv2d(channels, width, kernel_size=1, stride=stride, bias=False)
        )
        self.dropout = dropout

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        active = self.bn1(inputs).relu()
        hidden = self.bn2(self.conv1(active)).relu()
        if self.dropout > 0:
            hidden = F.dropout(hidden, self.dropout, self.training)
        beside = inputs if self.shortcut is None else self.shortcut(active)
        return beside + self.conv2(hidden)


class WideResNet(nn.Module):
    """A 3x3 stem of 16 channels, three stages of 16, 32 and 64 times ``widen`` channels with (depth - 4) / 6 blocks each.

    Convolutions are drawn from N(0, 2 / (k^2 c_out)), as in the authors' code. Takes float ``[N, *input_shape]``, gives logits
    ``[N, classes]``. Raises ``BadRequest`` unless ``depth`` is 6n + 4, ``widen`` at least 1 and ``dropout`` in [0, 1).
    """

    output_layer = "fc"

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, depth: int = 22, widen: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        blocks, remainder = divmod(depth - 4, 6)
        if remainder or blocks < 1:
            raise BadRequest(
                f"model.depth={depth} is not allowed: a wide residual network has 6n + 4 layers, such as 22 or 28"
            )
        require_positive("model.widen", widen)
        if not 0 <= dropout < 1:
            raise BadRequest(f"model.dropout={dropout} is not allowed: it is a probability in [0, 1)")
        self.conv = nn.Conv2d(input_shape[0], 16, kernel_size=3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        channels = 16
        for stage, base in enumerate((16, 32, 64)):
            for block in range(blocks):
                self.blocks.append(WideBlock(channels, base * widen, 2 if stage > 0 and block == 0 else 1, dropout))
                channels = base * widen
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.bn(self.blocks(self.conv(inputs))).relu()
        return self.fc(hidden.mean(dim=(2, 3)))
