"""The head of a network, its output layer, and what is left without it: the body."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds


def head_names(model: nn.Module) -> frozenset[str]:
    """The parameters of the output layer, its bias included; none where a network has no such layer."""
    owners = {name.rpartition(".")[0] for name, kind in kinds(model).items() if kind == "output"}
    return frozenset(name for name, _ in model.named_parameters() if name.rpartition(".")[0] in owners)


def misfit(model: nn.Module, body: Mapping[str, torch.Size]) -> str | None:
    """Why tensors of the shapes ``body`` are not those of the model's body, its head aside; None if they are."""
    head = head_names(model)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items() if name not in head}
    for name, shape in wanted.items():
        if name not in body:
            return f"it has no {name}"
        if body[name] != shape:
            return f"its {name} is {list(body[name])} and not {list(shape)}"
    if left := sorted(body.keys() - wanted.keys() - head):
        return f"it has {left[0]} besides"
    return None


def with_head(
    model: nn.Module, body: Mapping[str, Tensor], head: Mapping[str, Tensor], mask: Mask | None
) -> tuple[dict[str, Tensor], Mask | None]:
    """The weights of ``body`` but for the output layer, which is that of ``head``; of that all weights remain in ``mask``.

    Args:
        model: of the network that comes out, for names and kinds alone.
        body: parameters and persistent buffers, in the shapes of ``model`` but for the head.
        head: the same of a network whose head has the model's shape.
        mask: of ``body``; None if it is dense.

    Raises:
        BadRequest: the network has no output layer.
    """
    own = head_names(model)
    if not own:
        raise BadRequest(f"The network {type(model).__name__} has no output layer that could be replaced.")
    weights = {name: (head if name in own else body)[name] for name in body}
    if mask is None:
        return weights, None
    return weights, Mask(
        {n: torch.ones_like(weights[n], dtype=torch.bool) if n in own else mask[n] for n in kinds(model)}
    )
