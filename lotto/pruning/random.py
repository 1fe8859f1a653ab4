"""Random scores: pruning without any criterion, at whatever densities the allocation gives the layers.

``prune.allocation`` makes it uniform, Erdős-Rényi (``er``), Erdős-Rényi-Kernel (``erk``, Evci et al. 2020) or balanced (Gadhikar,
Mukherjee & Burkholz 2023). With ``global`` every layer has the same density in expectation. How many weights a layer keeps is exact,
not drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lotto.models.anatomy import kinds


def scores(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """U[0, 1) in float64, which has no ties to speak of, for every prunable weight."""
    return {
        name: torch.rand(model.get_parameter(name).shape, generator=generator, dtype=torch.float64)
        for name in kinds(model)
    }
