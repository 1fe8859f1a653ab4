"""Blocks at random: by the paper's own numbers hard to beat (Jordao et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lotto.residual.scores import of_weights, scored_blocks


def scores(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """One uniform draw for every residual block, whatever its size."""
    blocks = scored_blocks(model)
    drawn = torch.rand(len(blocks), generator=generator, dtype=torch.float64).tolist()
    return of_weights(model, {block.path: score for block, score in zip(blocks, drawn, strict=True)})
