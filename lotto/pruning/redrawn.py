"""Weights drawn afresh for the sake of scores alone, as some published code does."""

from __future__ import annotations

import torch
from torch import nn

from lotto.models.anatomy import layers


@torch.no_grad()
def redraw(model: nn.Module, generator: torch.Generator, kinds: tuple[type[nn.Module], ...]) -> None:
    """Draw the weights of all layers of these ``kinds`` by Glorot's normal, in place; one that layers share once."""
    once_each = {id(layer.weight): layer.weight for _, layer in layers(model) if isinstance(layer, kinds)}
    for weight in once_each.values():
        drawn = nn.init.xavier_normal_(torch.empty(weight.shape, dtype=weight.dtype), generator=generator)
        weight.copy_(drawn)
