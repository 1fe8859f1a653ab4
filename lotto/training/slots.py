"""Optimizer state by name: ``<slot>/<parameter name>``, such as ``exp_avg/fc.weight``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.errors import StageFailed
from lotto.training.network import Network, Tensors


def read_slots(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> Tensors:
    """The state of ``optimizer``, not copied.

    Raises:
        StageFailed: some of it is no tensor, and would be lost in an artifact.
    """
    slots: Tensors = {}
    for name, parameter in parameters.items():
        for slot, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                slots[f"{slot}/{name}"] = value
            elif value is not None:
                kind = type(optimizer).__name__
                found = type(value).__name__
                raise StageFailed(f"train.optimizer={kind} keeps {slot} as a {found}: only tensors can be stored.")
    return slots


def write_slots(
    slots: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    device: torch.device,
) -> None:
    """Give ``optimizer`` this state, on ``device`` and in the memory format of the parameters.

    Fused updates go through memory whatever the strides say: the moments of a convolution whose channels come last would reach other
    weights than their own.
    """
    for name, parameter in parameters.items():
        state = {path.partition("/")[0]: value for path, value in slots.items() if path.partition("/")[2] == name}
        if state:
            optimizer.state[parameter] = {slot: _laid_out(value, parameter, device) for slot, value in state.items()}


def _laid_out(value: Tensor, parameter: Tensor, device: torch.device) -> Tensor:
    """A copy; one number of each weight lies in memory as the weights do."""
    if value.shape != parameter.shape:
        return value.to(device).clone()
    return torch.empty_like(parameter, dtype=value.dtype, device=device, requires_grad=False).copy_(value)


def gather_slots(members: Sequence[Mapping[str, Tensor]], network: Network) -> Tensors:
    """The state of several replicates in the layout of ``network``.

    Raises:
        StageFailed: they have taken different numbers of steps, which one optimizer cannot tell apart.
    """
    return {path: _gathered(path, [slots[path] for slots in members], network) for path in members[0]}


def slot_of_replicate(path: str, slot: Tensor, network: Network, replicate: int) -> Tensor:
    """A replicate's part of a slot, in the shape that it has for the plain module."""
    return slot if slot.dim() == 0 else network.of_replicate(path.partition("/")[2], slot, replicate)


def _gathered(path: str, values: list[Tensor], network: Network) -> Tensor:
    if values[0].dim() > 0:
        return network.gather(path.partition("/")[2], values)
    if any(not torch.equal(value, values[0]) for value in values):
        raise StageFailed(
            f"The optimizer's {path} differs between replicates, which cannot be stacked: choose engine=alone."
        )
    return values[0]
