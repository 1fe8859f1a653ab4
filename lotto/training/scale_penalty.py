"""The penalty lambda * sum |gamma| on the scales of batch normalisation, which makes channels fall behind (Liu et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.models.anatomy import scale_counts


class ScalePenalty:
    """Adds the penalty's subgradient, lambda * sign(gamma), to the gradient of every scale of a ``BatchNorm2d``; nothing at gamma = 0.

    It comes in addition to weight decay, and is in the gradient before anything else that looks at it.

    Args:
        strength: lambda.
        model: the plain module, for the names of its scales.
        parameters: those under training by name, in whatever layout.
    """

    def __init__(self, strength: float, model: nn.Module, parameters: Mapping[str, nn.Parameter]) -> None:
        self._strength = strength
        self._scales: Sequence[Tensor] = [parameters[name] for name in scale_counts(model) if name in parameters]

    @classmethod
    def check(cls, model: nn.Module) -> None:
        """Raises BadRequest for a network without any scale."""
        if not scale_counts(model):
            raise BadRequest(
                f"method.sparsity penalises the scales of BatchNorm2d, and {type(model).__name__} has none: choose another model."
            )

    @torch.no_grad()
    def add(self) -> None:
        """After the backward pass."""
        reached = [(scale, scale.grad) for scale in self._scales if scale.grad is not None]
        if reached:
            signs = torch._foreach_sign([scale for scale, _ in reached])
            torch._foreach_add_([gradient for _, gradient in reached], signs, alpha=self._strength)
