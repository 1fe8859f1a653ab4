"""Gradients of the loss on a few images, for criteria that look at data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lotto.models.anatomy import kinds
from lotto.pruning.criterion import Batch

# Whether batch normalisation takes its statistics from the images at hand, as it does in training, or the running ones. It is the mode of
# the whole network, dropout included.
Mode = Literal["train", "eval"]


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The prunable weights by name, in registration order."""
    return {name: model.get_parameter(name) for name in kinds(model)}


def set_mode(model: nn.Module, mode: Mode) -> None:
    """Normalisation takes the statistics of the images (``train``) or its running ones; nothing is dropped out, which would be chance."""
    model.eval()
    for module in model.modules():
        if mode == "train" and isinstance(module, nn.modules.batchnorm._NormBase):
            module.train()


def gradients(model: nn.Module, batch: Batch, temperature: float = 1.0, keep_graph: bool = False) -> tuple[Tensor, ...]:
    """Gradients of the mean cross-entropy of one batch in all prunable weights; 0 where the loss does not depend on one.

    Args:
        temperature: the logits are divided by it.
        keep_graph: whether the gradients are to be differentiated again.
    """
    x, y = batch
    return differentiated(F.cross_entropy(model(x) / temperature, y), prunable(model).values(), keep_graph)


def total_gradients(model: nn.Module, batches: Iterable[Batch], temperature: float = 1.0) -> dict[str, Tensor]:
    """The sum over the batches of ``gradients``, by parameter name."""
    total = [torch.zeros_like(weight) for weight in prunable(model).values()]
    for batch in batches:
        total = [sum_ + g for sum_, g in zip(total, gradients(model, batch, temperature), strict=True)]
    return dict(zip(prunable(model), total, strict=True))


def differentiated(value: Tensor, weights: Iterable[nn.Parameter], keep_graph: bool = False) -> tuple[Tensor, ...]:
    """Gradients of a scalar; 0 where it does not depend on a weight."""
    weights = list(weights)
    if not value.requires_grad:  # it depends on no weight at all
        return tuple(torch.zeros_like(weight) for weight in weights)
    found: Sequence[Tensor | None] = torch.autograd.grad(value, weights, create_graph=keep_graph, allow_unused=True)
    return tuple(torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True))
