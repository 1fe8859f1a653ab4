"""Pruned weights stay at zero in a loop that knows nothing of masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn


class GradientMask:
    """Sets the gradients of pruned weights to zero as they are computed, until ``remove`` is called.

    Parameters that are frozen when this is made receive no gradients and are passed over.

    Args:
        model: has parameters of these names and shapes.
        zeros: what is to stay zero: bool by name.
    """

    def __init__(self, model: nn.Module, zeros: Mapping[str, Tensor]) -> None:
        parameters = dict(model.named_parameters())
        self._hooks = [
            parameters[name].register_hook(_zero_where(zero))
            for name, zero in zeros.items()
            if parameters[name].requires_grad
        ]

    def remove(self) -> None:
        """Let all gradients through again."""
        for hook in self._hooks:
            hook.remove()


def _zero_where(pruned: Tensor) -> Callable[[Tensor], Tensor]:
    # Filled, not multiplied: infinity times zero is not a number. The mask follows a model that is moved.
    return lambda gradient: gradient.masked_fill(pruned.to(gradient.device), 0)
