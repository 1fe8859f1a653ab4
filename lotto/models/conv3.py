"""Conv-3, the smallest network of COLT (Hossain et al. 2022)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from lotto.models.checks import require_halvings, require_positive


class Conv3(nn.Module):
    """Three 3x3 convolutions of ``width``, 2 and 4 times ``width`` channels, each with ReLU and a 2x2 max-pool, and the classifier.

    What is read of the network is that it has three convolutions. Widths, pooling, the missing batch normalisation and the single linear
    layer are chosen here, so that the body does not depend on how many classes there are.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for a width below 1 or an image too small to
    be pooled three times.
    """

    output_layer = "fc"

    def __init__(self, input_shape: tuple[int, int, int], classes: int, width: int = 64) -> None:
        super().__init__()
        require_positive("model.width", width)
        require_halvings("Conv-3", input_shape, 3)
        channels, height, wide = input_shape
        widths = [channels, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1) for fan_in, fan_out in pairwise(widths)
        )
        self.fc = nn.Linear(widths[-1] * (height >> 3) * (wide >> 3), classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs
        for convolution in self.convs:
            hidden = F.max_pool2d(convolution(hidden).relu(), kernel_size=2)
        return self.fc(hidden.flatten(start_dim=1))
