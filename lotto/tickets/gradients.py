"""Pruned weights stay at zero in a loop that knows nothing of masks."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from lotto.mask import Mask


class GradientMask:
    """Sets the gradients of pruned weights to zero as they are computed, until ``remove`` is called.

    Parameters that are frozen when this is made receive no gradients and are passed over.

    Args:
        model: has the mask's parameters, in its shapes.
        mask: what remains.
    """

    def __init__(self, model: nn.Module, mask: Mask) -> None:
        parameters = dict(model.named_parameters())
        self._hooks = [
            parameters[name].register_hook(_zero_where(~kept))
            for name, kept in mask.items()
            if parameters[name].requires_grad
        ]

    def remove(self) -> None:
        """Let all gradients through again."""
        for hook in self._hooks:
            hook.remove()


def _zero_where(pruned: Tensor) -> Callable[[Tensor], Tensor]:
    # Filled, not multiplied: infinity times zero is not a number. The mask follows a model that is moved.
    return lambda gradient: gradient.masked_fill(pruned.to(gradient.device), 0)
