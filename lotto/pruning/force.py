"""FORCE: connection sensitivity of the network as it will be, pruned (de Jorge et al. 2021, Progressive Skeletonization).

In every round S = |w g| with the unmasked weights w and the gradient g = dL/dw at the masked ones, m w. It is not 0 where a weight is
pruned: with ``prune.regrow`` a weight that an earlier round has pruned may return. With ``regrow`` off it is the paper's Iterative
SNIP. Their examples use 60 rounds, an exponential schedule and one batch of CIFAR-10 for each round; the code's own default is 10
rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lotto.mask import Mask
from lotto.pruning.criterion import Batch
from lotto.pruning.gradients import Mode, prunable, set_mode, total_gradients


def scores(model: nn.Module, batches: Sequence[Batch], mask: Mask, mode: Mode = "train") -> dict[str, Tensor]:
    """|w g| of every prunable weight, pruned ones too, with g at ``mask`` * w: the mean over the batches.

    Args:
        batches: x float ``[B, ...]``, y int64 ``[B]``.
        mask: what remains; the model holds the weights from before.
        mode: of the network while it is scored.
    """
    weights = {name: weight.detach().clone() for name, weight in prunable(model).items()}
    mask.apply_(model)
    set_mode(model, mode)
    total = total_gradients(model, batches)
    return {name: (weight * total[name] / len(batches)).abs() for name, weight in weights.items()}
