"""Nothing is trained: batches pass through so that batch normalisation sees the network as it is, and no weight moves."""

from __future__ import annotations

from lotto.training.regimen import Regimen


class Still(Regimen):
    """No optimizer step is taken; running statistics go on as in training."""

    def after_backward(self, step: int) -> bool:
        return False
