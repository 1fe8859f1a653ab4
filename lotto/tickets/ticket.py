"""A ticket: where training goes on from, and which weights take part in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.tickets.gradients import GradientMask
from lotto.training.network import state_of
from lotto.zeroed import Zeroed, pinned, zero


@dataclass(frozen=True, eq=False)
class Ticket:
    """The weights at the rewinding point, the mask, and where both come from.

    Training one takes no more of lotto than this::

        ticket = lotto.load_ticket("ticket.safetensors")
        ticket.mask_gradients(ticket.apply_to(model))
        for x, y in batches:
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()

    Args:
        weights: parameters and buffers by name, in the model's order; pruned weights are zero.
        mask: bool tensors of the prunable parameters.
        metadata: JSON values; ``lotto.tickets.metadata`` says which.
        zeroed: of a structured ticket what its removed channels and branches had beside weights, such as biases and scales of
            normalisations: bool by name, zero in ``weights`` and kept there in training; no density counts it.

    Raises:
        BadRequest: a mask has no weight of its name and shape.
    """

    weights: dict[str, Tensor]
    mask: Mask
    metadata: dict[str, Any] = field(default_factory=dict)
    zeroed: Zeroed = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kept in chain(self.mask.items(), self.zeroed.items()):
            if name not in self.weights or self.weights[name].shape != kept.shape:
                has = list(self.weights[name].shape) if name in self.weights else "nothing of that name"
                raise BadRequest(f"The ticket's mask of {name} has shape {list(kept.shape)}, its weights have {has}.")

    @property
    def density(self) -> float:
        """Weights that remain as a fraction of all prunable weights."""
        return self.mask.density

    @property
    def rewind_step(self) -> int | None:
        """The absolute training step that the ticket is trained from; None where it is not known."""
        return self.metadata.get("rewind_step")

    @torch.no_grad()
    def apply_to(self, model: nn.Module) -> nn.Module:
        """Load the weights into ``model``, in place, and set its pruned weights to zero; returns ``model``.

        The names and shapes of all parameters must be the ticket's own. Buffers are loaded where the model has them.
        Numbers are converted to the model's dtype and device.

        Raises:
            BadRequest: a parameter is missing, left over or of another shape; nothing was loaded then.
        """
        self._require_fit(model)
        for name, tensor in state_of(model).items():
            if name in self.weights:
                tensor.copy_(self.weights[name])
        for name, parameter in model.named_parameters():
            parameter.copy_(zero({name: parameter}, self.zeroed)[name])
        return self.mask.apply_(model)

    def mask_gradients(self, model: nn.Module) -> GradientMask:
        """Keep the pruned weights of ``model``, and what is zeroed, at zero while a plain loop trains it, until the handle is removed.

        Pruned weights then have gradients of exactly zero, so that momentum and weight decay leave them alone too. The
        optimizer must be fresh: state from before the pruning would still move them.

        Raises:
            BadRequest: a parameter is missing, left over or of another shape.
        """
        self._require_fit(model)
        return GradientMask(model, pinned(self.mask, self.zeroed))

    def _require_fit(self, model: nn.Module) -> None:
        found = state_of(model)
        buffers = set(self.metadata.get("buffers", ()))
        for name, tensor in self.weights.items():
            if name not in found:
                if name in buffers:
                    continue
                raise BadRequest(
                    f"The ticket's {name} is no parameter of the {type(model).__name__}{_elsewhere(name, found)}."
                )
            if found[name].shape != tensor.shape:
                raise BadRequest(
                    f"The ticket's {name} has shape {list(tensor.shape)}, "
                    f"and the {type(model).__name__}'s has {list(found[name].shape)}."
                )
        for name, _ in model.named_parameters():
            if name not in self.weights:
                raise BadRequest(
                    f"The {type(model).__name__}'s {name} is not in the ticket, which must hold every parameter."
                )


def _elsewhere(name: str, found: dict[str, Tensor]) -> str:
    """Where a wrapper hides the parameter; not looked through, lest the wrong inner module be filled unnoticed."""
    for wrapped in found:
        if wrapped.endswith(f".{name}"):
            inner = wrapped.removesuffix(f".{name}")
            return f", which has it inside as {wrapped}: apply the ticket to its {inner}"
    return ""
