"""What belongs to removed channels and branches beside their weights: the tensors ``zeroed/NAME`` of an artifact.

Biases, scales and shifts of normalisations, and weights that read what is not there any more: bool by name of parameter, in its shape. They
are zero in the start artifact, and training holds them there; no density counts them. ``lotto.slimming.gone_with`` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lotto.mask import Mask

Zeroed = Mapping[str, Tensor]

ZEROED = "zeroed/"


def zeroed_in(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ``zeroed`` of an artifact; empty unless it is a structured ticket."""
    return {name.removeprefix(ZEROED): tensor.bool() for name, tensor in tensors.items() if name.startswith(ZEROED)}


def zeroed_tensors(zeroed: Zeroed) -> dict[str, Tensor]:
    """As an artifact keeps it."""
    return {f"{ZEROED}{name}": tensor.to(torch.uint8) for name, tensor in zeroed.items()}


def zero(tensors: Mapping[str, Tensor], zeroed: Zeroed) -> dict[str, Tensor]:
    """``tensors`` with zeros where ``zeroed`` says; the others are passed on as they are."""
    return {
        name: tensor.masked_fill(zeroed[name].to(tensor.device), 0) if name in zeroed else tensor
        for name, tensor in tensors.items()
    }


def pinned(mask: Mask | None, zeroed: Zeroed) -> dict[str, Tensor]:
    """All that stays zero in training, pruned or zeroed: bool by name."""
    found = {name: ~kept for name, kept in (mask or {}).items()}
    for name, gone in zeroed.items():
        found[name] = found[name] | gone if name in found else gone
    return found


def same(one: Zeroed, other: Zeroed) -> bool:
    """Whether both say the same of the same parameters."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
