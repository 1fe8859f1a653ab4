"""The fully connected LeNet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from lotto.models.checks import require_positive


class LeNet(nn.Module):
    """LeNet-300-100 and its relatives: a ReLU layer per entry of ``plan``, then the classifier.

    The network of Frankle & Carbin (2019), section 2; 266,200 weights on MNIST. Parameters are named as in OpenLTH:
    ``fc_layers.{i}`` and ``fc``; with ``batch_norm``, which the paper's network does not have, ``norms.{i}`` stand before the ReLUs.
    ``bias=False`` leaves all biases of the layers out.

    Takes float ``[N, *input_shape]``, gives logits ``[N, classes]``. Raises ``BadRequest`` for a width below 1.
    """

    output_layer = "fc"

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        classes: int,
        plan: Sequence[int] = (300, 100),
        batch_norm: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        for width in plan:
            require_positive("model.plan", width)
        widths = [math.prod(input_shape), *plan]
        self.fc_layers = nn.ModuleList(nn.Linear(fan_in, fan_out, bias) for fan_in, fan_out in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) if batch_norm else nn.Identity() for width in plan)
        self.fc = nn.Linear(widths[-1], classes, bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.flatten(start_dim=1)
        for layer, norm in zip(self.fc_layers, self.norms, strict=True):
            hidden = norm(layer(hidden)).relu()
        return self.fc(hidden)
