"""Which engine trains a stage: a written rule over the network and the number of replicates, never a timing.

``stacked`` trains replicates in one fit and is chosen for two or more replicates of a network of dense layers, where a step of one
replicate leaves the machine idle. Convolutions, batch normalisation and layers that draw random numbers are trained ``alone``: for the
first it is the faster way on a CPU, for the others a replicate's numbers would depend on the stack it is in.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from lotto.errors import BadRequest
from lotto.training.network import state_of

# A stack of more costs memory and gains no speed on two cores.
LARGEST_STACK = 32


def reason_alone(model: nn.Module, input_shape: tuple[int, ...]) -> str | None:
    """Why ``model`` cannot be stacked, or None if it can."""
    unstackable = (_ConvNd, _NormBase, _DropoutNd, nn.RNNBase)
    for name, module in model.named_modules():
        if isinstance(module, unstackable):
            return f"{name or 'the network'} is a {type(module).__name__}"
    return _reason_vmap_differs(model, input_shape)


def stack_size(model: nn.Module, input_shape: tuple[int, ...], engine: str) -> tuple[int, str | None]:
    """How many replicates one fit may train, and why it is one.

    Raises:
        BadRequest: ``engine=stacked`` is asked for and impossible.
    """
    if engine == "alone":
        return 1, None
    reason = reason_alone(model, input_shape)
    if reason and engine == "stacked":
        raise BadRequest(f"engine=stacked is impossible for this network ({reason}): choose engine=auto or alone.")
    return (1, reason) if reason else (LARGEST_STACK, None)


@torch.no_grad()
def _reason_vmap_differs(model: nn.Module, input_shape: tuple[int, ...]) -> str | None:
    """Two replicates, stacked and one by one, on made-up input: they must agree."""
    own = {name: tensor.detach() for name, tensor in state_of(model).items()}
    other = {name: tensor * 0.5 if tensor.is_floating_point() else tensor for name, tensor in own.items()}
    x = torch.linspace(-1, 1, 2 * 3 * torch.Size(input_shape).numel()).view(2, 3, *input_shape)
    stacked = {name: torch.stack([own[name], other[name]]) for name in own}
    try:
        together = vmap(lambda tensors, batch: functional_call(model, tensors, (batch,)))(stacked, x)
        apart = torch.stack(
            [functional_call(model, tensors, (batch,)) for tensors, batch in zip((own, other), x, strict=True)]
        )
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as reason:
        return f"torch.func.vmap refuses it: {str(reason).splitlines()[0]}"
    return (
        None
        if torch.allclose(together, apart, rtol=1e-3, atol=1e-5)
        else "stacked and alone it computes different values"
    )
