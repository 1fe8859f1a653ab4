"""GRASP-It: the squared gradient, in rounds (de Jorge et al. 2021, Progressive Skeletonization, where it stands beside FORCE)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.pruning.gradients import Mode, set_mode, total_gradients


def scores(model: nn.Module, batches: Sequence[Batch], mode: Mode = "train") -> dict[str, Tensor]:
    """g ** 2 of every prunable weight, with g = dL/dw the mean over the batches.

    Args:
        batches: x float ``[B, ...]``, y int64 ``[B]``.
        mode: of the network while it is scored.
    """
    set_mode(model, mode)
    return {name: (g / len(batches)).square() for name, g in total_gradients(model, batches).items()}
