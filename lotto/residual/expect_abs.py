"""expectABS: blocks that put out little go first (Jordao et al. 2023 for whole blocks)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.residual.scores import block_outputs, of_weights


def scores(model: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """The mean absolute value of what a block puts out, over images, channels and places; in evaluation mode."""
    total: dict[str, float] = {}
    images = 0
    for outputs, y in block_outputs(model, batches):
        images += len(y)
        for path, maps in outputs.items():
            total[path] = total.get(path, 0.0) + float(maps.double().abs().flatten(1).mean(1).sum())
    return of_weights(model, {path: sizes / images for path, sizes in total.items()})
