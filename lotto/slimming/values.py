"""What is known of the values of a network: which channels they have, which of them are zero, and who reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, fx

from lotto.slimming.units import Units


@dataclass(frozen=True)
class Value:
    """What is known of a tensor.

    Args:
        shape: the tensor's, for one made-up batch.
        dim: the dimension that its channels lie along.
        ids: the unit of every channel, int64 ``[channels]``.
        zero: the channels that are exactly zero whatever the input, bool ``[channels]``.
    """

    shape: torch.Size
    dim: int
    ids: Tensor
    zero: Tensor


@dataclass
class Site:
    """A layer whose tensors have a place for every channel.

    Args:
        out: the units that it makes, or normalises.
        read: the units that its weights read; None for a layer that treats channels by themselves.
    """

    out: Tensor
    read: Tensor | None = None


@dataclass
class Read:
    """Weights that read a value: by channel, whether nothing comes of it, since the channel or all weights that read it are zero."""

    node: fx.Node
    ids: Tensor
    nothing: Tensor


@dataclass
class Followed:
    """What is known of a graph: values by node, layers by path, and what reads what.

    Args:
        induced: biases, scales and shifts that belong to removed channels: bool by name.
    """

    units: Units
    values: dict[fx.Node, Value] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    induced: dict[str, Tensor] = field(default_factory=dict)


def through(value: Value, result: Tensor, zero: bool = True) -> Value:
    """Every channel went its own way; with ``zero`` those of zeros are still zero."""
    return Value(result.shape, value.dim, value.ids, value.zero if zero else torch.zeros_like(value.zero))
