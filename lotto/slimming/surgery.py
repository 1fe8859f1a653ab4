"""The physically smaller network: without the branches that add nothing, and without the channels that are zero wherever they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from lotto.errors import BadRequest
from lotto.slimming import operations as ops
from lotto.slimming.follow import followed
from lotto.slimming.trace import traced
from lotto.slimming.values import Followed, Site

Tensors = dict[str, Tensor]
# By dimension of a tensor the places that are kept, int64; None for all.
Places = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Slimming:
    """A smaller network and where its tensors lie in those of the whole one.

    Args:
        module: plain PyTorch, a ``torch.fx.GraphModule``; its parameters and buffers are named as the whole network's, and those of dropped
            branches are not there.
        kept: for every tensor of ``module`` the places kept along each dimension.
        sources: names that differ in the whole network, where one tensor has several.
        induced: what has to be zero beside the given zeros for the two to be equal: bool by name, in the whole network's shapes.
    """

    module: nn.Module
    kept: Mapping[str, Places]
    sources: Mapping[str, str]
    induced: Mapping[str, Tensor]

    def gather(self, name: str, whole: Tensor) -> Tensor:
        """The part of a whole tensor that the smaller network has, a copy."""
        for dim, places in enumerate(self.kept[name]):
            if places is not None:
                whole = whole.index_select(dim, places.to(whole.device))
        return whole.clone()

    def write_back(self, name: str, part: Tensor, whole: Tensor) -> Tensor:
        """``whole`` with ``part`` at the places where it lies; a new tensor."""
        grid: Tensor = torch.arange(whole.numel(), device=whole.device).view(whole.shape)
        made = whole.clone(memory_format=torch.contiguous_format).flatten()
        made[self.gather(name, grid).flatten()] = part.to(whole.dtype).flatten()
        return made.view(whole.shape)

    def removed(self, whole: Mapping[str, Tensor]) -> Tensors:
        """What is not there: bool for every tensor of ``whole``, in its shape."""
        own = {self.sources.get(name, name): name for name in self.kept}
        gone = {name: torch.ones(tensor.shape, dtype=torch.bool) for name, tensor in whole.items()}
        for name in own.keys() & gone.keys():
            there = torch.zeros_like(self.gather(own[name], gone[name]))
            gone[name] = self.write_back(own[name], there, gone[name])
        return gone


def slimmed(
    model: nn.Module, input_shape: tuple[int, ...], zeros: Mapping[str, Tensor], induce: bool = False
) -> Slimming:
    """The smaller network that equals ``model``; ``model`` itself is unchanged.

    Args:
        input_shape: of one example.
        zeros: by name of parameter, bool in its shape: what is zero, and stays so.
        induce: a channel whose weights are all zero takes its bias along, and the scale and shift of the normalisation behind it; equality
            then asks for these to be zero too (``induced``).

    Raises:
        BadRequest: the forward pass cannot be followed.
    """
    graph = traced(model)
    first = follow_graph(graph, model, input_shape, zeros, induce)
    _drop_branches(graph, first)
    found = follow_graph(graph, model, input_shape, zeros, induce)
    shape = _output_shape(graph, found)
    removable = _removable(found)
    kept: dict[str, Places] = {}
    for path, site in found.sites.items():
        _cut(graph, path, site, found, removable, kept)
    for name in graph.state_dict():
        kept.setdefault(name, ())
    again = follow_graph(graph, model, input_shape, {})
    if _output_shape(graph, again) != shape:
        raise BadRequest(f"{type(model).__name__} cannot be slimmed: its forward pass counts on its layers' widths.")
    state = graph.state_dict(keep_vars=True)
    named = dict(graph.named_parameters()) | dict(graph.named_buffers())
    names = [name for name in named if name in state]
    return Slimming(graph, {name: kept[name] for name in names}, _sources(model, names), first.induced)


def follow_graph(
    graph: fx.GraphModule,
    model: nn.Module,
    input_shape: tuple[int, ...],
    zeros: Mapping[str, Tensor],
    induce: bool = False,
) -> Followed:
    """``followed`` for the graph of ``model``, which is named in the sentence where it fails."""
    try:
        return followed(graph, input_shape, zeros, induce)
    except Exception as reason:
        first = (str(reason) or type(reason).__name__).splitlines()[0]
        raise BadRequest(
            f"{type(model).__name__} cannot be slimmed for inputs of shape {list(input_shape)}: {first}"
        ) from None


def _drop_branches(graph: fx.GraphModule, found: Followed) -> None:
    """A term that is zero everywhere is left out of its sum, and all that was computed for it is gone."""
    for node in list(graph.graph.nodes):
        if not ops.is_addition(node) or len(node.args) != 2 or node not in found.values:
            continue
        values = [found.values.get(argument) if isinstance(argument, fx.Node) else None for argument in node.args]
        for place in (1,) if ops.is_difference(node) else (1, 0):
            term, other = values[place], values[1 - place]
            if term is not None and other is not None and term.shape == other.shape and bool(term.zero.all()):
                node.replace_all_uses_with(node.args[1 - place])
                graph.graph.erase_node(node)
                break
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()


def _output_shape(graph: fx.GraphModule, found: Followed) -> torch.Size | None:
    (output,) = (node for node in graph.graph.nodes if node.op == "output")
    made = output.args[0]
    return found.values[made].shape if isinstance(made, fx.Node) and made in found.values else None


def _removable(found: Followed) -> Tensor:
    """By root of unit, bool: it is not fixed and nothing comes of it anywhere. Every value keeps one channel at least."""
    removable = ~found.units.fixed()
    for read in found.reads:
        removable[found.units.roots(read.ids[~read.nothing])] = False
    for value in found.values.values():
        roots = found.units.roots(value.ids)
        if bool(removable[roots].all()):
            removable[roots[0]] = False
    return removable


def _cut(
    graph: fx.GraphModule, path: str, site: Site, found: Followed, removable: Tensor, kept: dict[str, Places]
) -> None:
    """Make the layer at ``path`` smaller, in place, and note what is kept of its tensors."""
    layer = graph.get_submodule(path)
    out = _places(site.out, found, removable)
    read = None if site.read is None else _places(site.read, found, removable)
    names = dict(layer.named_parameters(recurse=False)) | dict(layer.named_buffers(recurse=False))
    for name, tensor in names.items():
        places: Places = () if tensor.dim() == 0 else (out,)
        if name == "weight" and isinstance(layer, _ConvNd | nn.Linear):
            places = (read, out) if isinstance(layer, _ConvTransposeNd) else (out, read)
        kept[f"{path}.{name}"] = places
        smaller = tensor.detach()
        for dim, own in enumerate(places):
            smaller = smaller if own is None else smaller.index_select(dim, own.to(smaller.device))
        if isinstance(tensor, nn.Parameter):
            setattr(layer, name, nn.Parameter(smaller.clone(), requires_grad=tensor.requires_grad))
        else:
            setattr(layer, name, smaller.clone())
    _tell_widths(layer, _count(out, site.out), None if site.read is None else _count(read, site.read))


def _tell_widths(layer: nn.Module, out: int, read: int | None) -> None:
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = out, layer.in_features if read is None else read
    elif isinstance(layer, _ConvNd):
        layer.out_channels = out
        layer.in_channels = out if read is None else read
        layer.groups = out if read is None else layer.groups
    elif isinstance(layer, _BatchNorm):
        layer.num_features = out


def _count(places: Tensor | None, ids: Tensor) -> int:
    return len(ids if places is None else places)


def _places(ids: Tensor, found: Followed, removable: Tensor) -> Tensor | None:
    stays = ~removable[found.units.roots(ids)]
    return None if bool(stays.all()) else stays.nonzero().squeeze(1)


def _sources(model: nn.Module, names: list[str]) -> dict[str, str]:
    first = {id(tensor): name for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
    everything = dict(model.named_parameters(remove_duplicate=False)) | dict(
        model.named_buffers(remove_duplicate=False)
    )
    sources = {name: first[id(everything[name])] for name in names if name in everything}
    return {name: source for name, source in sources.items() if source != name}
