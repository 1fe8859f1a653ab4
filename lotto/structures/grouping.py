"""From a network to the families of each structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from lotto.errors import BadRequest
from lotto.models.anatomy import kinds, layers
from lotto.residual.selection import block_family
from lotto.slimming.channels import channels_of
from lotto.structures.families import Family, Part
from lotto.structures.request import Structure


def families_of(structure: Structure, model: nn.Module, input_shape: tuple[int, ...]) -> list[Family]:
    """The groups of ``model`` that ``structure`` prunes at once; only shapes are looked at.

    Raises:
        BadRequest: there are none, or ``torch.fx`` cannot follow the forward pass where that is needed.
    """
    found = list(_GROUPINGS[structure.name](model, input_shape, structure))
    if not found:
        raise BadRequest(
            f"prune.structure={structure.name} finds nothing to prune in {type(model).__name__}: {_NEEDS[structure.name]}."
        )
    return found


def _filters(model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> Iterator[Family]:
    """Every output of a layer, but for those of the network."""
    for name, kind, layer in _prunable(model):
        if kind != "output":
            rows = torch.arange(layer.weight.shape[_row_dim(layer)])
            yield Family(name, kind, len(rows), (Part(name, _along(rows, _row_dim(layer))),))


def _channels(model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> Iterator[Family]:
    """Every channel that nothing but weights, normalisations, rectifiers and poolings see."""
    layer_of = {name: layer for name, _, layer in _prunable(model)}
    kind = kinds(model)
    for space in channels_of(model, input_shape):
        parts = [
            *(Part(name, _along(labels, _row_dim(layer_of[name]))) for name, labels in space.makers.items()),
            *(
                Part(name, _along(labels, _row_dim(layer_of[name])), scored=False)
                for name, labels in space.scalers.items()
            ),
            *(
                Part(name, _along(labels, 1 - _row_dim(layer_of[name])), scored=False)
                for name, labels in space.readers.items()
            ),
        ]
        name = next(iter(space.makers))
        yield Family(name, kind[name], space.size, tuple(parts))


def _blocks(model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> Iterator[Family]:
    """Tiles of neighbouring outputs and inputs; at the edges of a weight they are smaller."""
    side = structure.tile
    for name, kind, layer in _prunable(model):
        rows, columns = (torch.arange(width) // side for width in layer.weight.shape[:2])
        across = int(columns[-1]) + 1
        yield Family(name, kind, (int(rows[-1]) + 1) * across, (Part(name, rows[:, None] * across + columns[None]),))


def _heads(model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> Iterator[Family]:
    """The heads of every module that says how many it has (``num_heads`` or ``heads``) and holds its projections as linear layers.

    The last of them in order of registration reads the heads, side by side along its inputs; those before it make them: queries, keys and
    values, each or together in one layer. ``nn.MultiheadAttention`` keeps these in a tensor that is no layer's weight, so that its output
    projection alone is masked.
    """
    kind = kinds(model)
    for path, module in model.named_modules():
        heads = getattr(module, "num_heads", getattr(module, "heads", None))
        own = [
            (f"{path}.{name}.weight".lstrip("."), child)
            for name, child in module.named_children()
            if isinstance(child, nn.Linear)
        ]
        own = [(name, child) for name, child in own if name in kind]
        if not own or isinstance(heads, bool) or not isinstance(heads, int) or heads < 1:
            continue
        *makers, (last, out) = own
        if out.in_features % heads:
            continue
        by_head = torch.arange(out.in_features) // (out.in_features // heads)
        parts = [Part(last, by_head[None])]
        for name, layer in makers:
            if layer.out_features % out.in_features == 0:
                parts.append(Part(name, by_head.repeat(layer.out_features // out.in_features)[:, None]))
        yield Family(last, kind[last], heads, tuple(parts))


def _prunable(model: nn.Module) -> Iterator[tuple[str, str, nn.Linear]]:
    """Name, kind and layer of every prunable weight."""
    found = kinds(model)
    for path, layer in layers(model):
        name = f"{path}.weight" if path else "weight"
        if name in found:
            yield name, found[name], layer  # type: ignore[misc]


def _row_dim(layer: nn.Module) -> int:
    """The dimension of its weight that outputs lie along."""
    return 1 if isinstance(layer, _ConvTransposeNd) else 0


def _along(labels: Tensor, dim: int) -> Tensor:
    return labels[:, None] if dim == 0 else labels[None]


def _residual(model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> Iterator[Family]:
    """The branches of residual blocks whose shape stays."""
    if family := block_family(model, structure.protect):
        yield family


_GROUPINGS: dict[str, Callable[[nn.Module, tuple[int, ...], Structure], Iterator[Family]]] = {
    "filter": _filters,
    "channel": _channels,
    "block": _blocks,
    "head": _heads,
    "residual": _residual,
}
_NEEDS = {
    "filter": "it has no layer with weights before its outputs",
    "channel": "it has no channels between two layers with weights",
    "block": "it has no layer with weights",
    "head": "no module of it says num_heads and holds linear projections",
    "residual": "it has no residual block, a module with a shortcut or downsample, that can go",
}
