"""HRank: feature maps of low rank say little (Lin et al. 2020, HRank; for whole blocks Jordao et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.residual.scores import block_outputs, of_weights


def scores(model: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """The rank of a block's feature maps, ``[H, W]`` matrices, averaged over images and channels; in evaluation mode."""
    total: dict[str, float] = {}
    images = 0
    for outputs, y in block_outputs(model, batches):
        images += len(y)
        for path, maps in outputs.items():
            total[path] = total.get(path, 0.0) + _ranks(maps) / maps.shape[1]
    return of_weights(model, {path: ranks / images for path, ranks in total.items()})


def _ranks(maps: Tensor) -> float:
    """Of all ``[H, W]`` matrices together; NaN if one has an entry that is no number, of which LAPACK finds no rank."""
    if not bool(maps.isfinite().all()):
        return math.nan
    return float(torch.linalg.matrix_rank(maps.flatten(0, 1)).sum())
