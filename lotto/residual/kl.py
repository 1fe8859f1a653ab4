"""KL: blocks without which the network answers alike go first (Jordao et al. 2023). One pass over the images for every block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.residual.scores import changed_outputs, of_weights


def scores(model: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """The divergence sum_c p_c log(p_c / q_c) of the classes' probabilities q without a block from those p with it, mean over images."""
    found = {}
    for path, whole, part in changed_outputs(model, batches):
        p, q = whole.log_softmax(1), part.log_softmax(1)
        found[path] = float((p.exp() * (p - q)).sum(1).mean())
    return of_weights(model, found)
