"""The channels of a network that can be removed, each with all weights that make it and all that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from lotto.slimming.surgery import follow_graph
from lotto.slimming.trace import traced
from lotto.slimming.values import Followed, Site


@dataclass(frozen=True)
class Channels:
    """Channels of one place in a network: those of a layer, or of all layers whose outputs are added up.

    Args:
        size: how many there are.
        makers: by name of the weight that makes them, for each of its outputs the channel's number or -1: int64 ``[outputs]``.
        scalers: likewise for weights that treat every channel by itself, in depthwise convolutions.
        readers: by name of the weight that reads them, for each of its inputs the channel's number or -1: int64 ``[inputs]``.
        others: likewise for biases, and the scales and shifts of normalisations.
    """

    size: int
    makers: dict[str, Tensor] = field(default_factory=dict)
    scalers: dict[str, Tensor] = field(default_factory=dict)
    readers: dict[str, Tensor] = field(default_factory=dict)
    others: dict[str, Tensor] = field(default_factory=dict)


def channels_of(model: nn.Module, input_shape: tuple[int, ...]) -> list[Channels]:
    """All removable channels, place by place in the order of the forward pass; the network's inputs and outputs are not among them.

    Raises:
        BadRequest: ``torch.fx`` cannot follow the forward pass.
    """
    graph = traced(model)
    found = follow_graph(graph, model, input_shape, {})
    names = {name for name, _ in model.named_parameters()}
    fixed = found.units.fixed()
    makers = [site.out for path, site in found.sites.items() if site.read is not None]
    made = []
    for roots in _places(found, makers, fixed):
        number = torch.full((len(fixed),), -1)
        number[roots] = torch.arange(len(roots))
        place = Channels(len(roots))
        for path, site in found.sites.items():
            _note(place, path, site, graph.get_submodule(path), found, number, names)
        made.append(place)
    return made


def _places(found: Followed, makers: list[Tensor], fixed: Tensor) -> Iterator[Tensor]:
    """The removable units of layers that share any, together: int64 roots, in order."""
    places: list[set[int]] = []
    for out in makers:
        own = {root for root in found.units.roots(out).tolist() if not fixed[root]}
        if not own:
            continue
        shared = [place for place in places if place & own]
        if not shared:
            places.append(own)
            continue
        shared[0].update(own, *shared[1:])
        places = [place for place in places if not any(place is other for other in shared[1:])]
    for place in places:
        yield torch.tensor(sorted(place))


def _note(
    place: Channels, path: str, site: Site, layer: nn.Module, found: Followed, number: Tensor, names: set[str]
) -> None:
    out = number[found.units.roots(site.out)]
    read = None if site.read is None else number[found.units.roots(site.read)]
    weight = f"{path}.weight"
    if bool((out >= 0).any()):
        weighted = isinstance(layer, _ConvNd | nn.Linear)
        if weighted and weight in names:
            (place.scalers if read is None else place.makers)[weight] = out
        for name in (f"{path}.bias", *([] if weighted else [weight])):
            if name in names:
                place.others[name] = out
    if read is not None and weight in names and bool((read >= 0).any()):
        place.readers[weight] = read
