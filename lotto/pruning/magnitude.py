"""Magnitude: a weight counts as much as training made it large (Frankle & Carbin 2019, §1; Han et al. 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lotto.models.anatomy import kinds


@torch.no_grad()
def scores(model: nn.Module) -> dict[str, Tensor]:
    """|w| in float32 for every prunable weight of ``model``, by parameter name; higher is kept."""
    parameters = dict(model.named_parameters())
    return {name: parameters[name].detach().to(torch.float32).abs() for name in kinds(model)}
