"""The plain convolutional networks Conv-2, Conv-4 and Conv-6."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from lotto.errors import BadRequest
from lotto.models.checks import require_halvings, require_one_of

_PAIR_WIDTHS = (64, 128, 256)
_HIDDEN_WIDTHS = (256, 256)


class ConvNet(nn.Module):
    """Conv-2, Conv-4 and Conv-6: VGG cut down to ``depth`` 3x3 convolutions, without batch normalisation.

    Every pair of convolutions ends in a 2x2 max-pool; two ReLU layers of 256 units and the classifier follow (Frankle
    & Carbin 2019, figure 2). Dropout, when it is above 0, stands before each of the three linear layers: the paper
    does not say where. Parameters are named ``convs.{i}``, ``fc_layers.{i}`` and ``fc``.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for another depth, a dropout
    outside [0, 1) or an image too small to be pooled.
    """

    output_layer = "fc"

    def __init__(self, input_shape: tuple[int, int, int], classes: int, depth: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        require_one_of("model.depth", depth, (2, 4, 6))
        if not 0 <= dropout < 1:
            raise BadRequest(f"model.dropout={dropout} is not allowed: it is a probability in [0, 1)")
        pairs = depth // 2
        require_halvings(f"Conv-{depth}", input_shape, pairs)

        channels, height, width = input_shape
        widths = [channels]
        for pair_width in _PAIR_WIDTHS[:pairs]:
            widths += [pair_width, pair_width]
        features = [widths[-1] * (height >> pairs) * (width >> pairs), *_HIDDEN_WIDTHS]

        self.dropout = dropout
        self.convs = nn.ModuleList(
            nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1) for fan_in, fan_out in pairwise(widths)
        )
        self.fc_layers = nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(features))
        self.fc = nn.Linear(features[-1], classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs
        for first, second in zip(self.convs[::2], self.convs[1::2], strict=True):
            hidden = second(first(hidden).relu()).relu()
            hidden = F.max_pool2d(hidden, kernel_size=2)
        hidden = hidden.flatten(start_dim=1)
        for layer in self.fc_layers:
            hidden = layer(self._drop(hidden)).relu()
        return self.fc(self._drop(hidden))

    def _drop(self, hidden: torch.Tensor) -> torch.Tensor:
        return F.dropout(hidden, self.dropout, self.training) if self.dropout > 0 else hidden
