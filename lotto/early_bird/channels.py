"""Channels by the scales of batch normalisation: where they are, which are kept, and the convolutions that make them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor, nn

from lotto.slimming.trace import traced


def shift_of(scale: str) -> str:
    """The name of the shift that belongs to a scale."""
    return f"{scale.removesuffix('weight')}bias"


def largest(scales: Tensor, ratio: float) -> Tensor:
    """Which channels are kept at the prune ratio p: bool ``[C]``, those strictly above ``sorted(v)[floor(p C)]``.

    Args:
        scales: v >= 0 of all channels, ``[C]``.
        ratio: p in [0, 1), taken as the decimal number that it is written as: 0.29 of 100 channels are 29.
    """
    threshold = scales.sort().values[math.floor(Fraction(repr(ratio)) * len(scales))]
    return scales > threshold


def by_layer(kept: Tensor, counts: Mapping[str, int]) -> dict[str, Tensor]:
    """A mask over all channels, cut into those of the layers: bool by name of scale."""
    return dict(zip(counts, kept.split(list(counts.values())), strict=True))


def guarded(kept: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The same with the first channel of every layer that would have none, and the names of these layers."""
    emptied = [name for name, own in kept.items() if not bool(own.any())]
    first = {name: (torch.arange(len(own)) == 0).to(own.device) for name, own in kept.items()}
    return {name: first[name] if name in emptied else own for name, own in kept.items()}, emptied


def makers(model: nn.Module) -> dict[str, str]:
    """The weight of the convolution that a scale's channels come straight out of, by name of scale.

    A normalisation that reads a sum, as before a block that is activated beforehand, has none: its channels are made by several.

    Raises:
        BadRequest: the forward pass cannot be followed.
    """
    graph = traced(model)
    times: dict[str, int] = {}
    for node in graph.graph.nodes:
        if node.op == "call_module":
            times[str(node.target)] = times.get(str(node.target), 0) + 1
    found = {}
    for node in graph.graph.nodes:
        if node.op != "call_module" or not isinstance(graph.get_submodule(str(node.target)), nn.BatchNorm2d):
            continue
        source = node.args[0]
        alone = source.op == "call_module" and len(source.users) == 1 and times[str(source.target)] == 1
        if alone and isinstance(graph.get_submodule(str(source.target)), nn.Conv2d):
            found[f"{node.target}.weight"] = f"{source.target}.weight"
    return found
