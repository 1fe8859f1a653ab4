"""Which channels are exactly zero, at every point of a network, and which of them are one.

The graph is run on PyTorch's meta device, which knows shapes and no numbers; beside every value goes what is known of its channels. A
convolution's output channel is zero where all its weights that read something are zero, and its bias too; that of a batch normalisation
where scale and shift are zero; rectifiers, poolings and dropout leave zeros zero; a sum is zero where both terms are, a product where one
factor is. Channels that meet in a sum or product are one unit; what weights of several groups, layer normalisations, attention or unknown
operations read is fixed: it stays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from lotto.slimming import operations as ops
from lotto.slimming.shapes import averaged, concatenated, joined, reshaped
from lotto.slimming.trace import last_layers
from lotto.slimming.units import Units
from lotto.slimming.values import Followed, Read, Site, Value, through


def followed(
    graph: fx.GraphModule, input_shape: tuple[int, ...], zeros: Mapping[str, Tensor], induce: bool = False
) -> Followed:
    """Follow the channels of ``graph``.

    Args:
        input_shape: of one example.
        zeros: by name of parameter, bool in its shape: what is zero.
        induce: a channel whose weights are all zero takes its bias along, and the scale and shift of the normalisation behind it.
    """
    following = _Following(graph, zeros, induce)
    example = torch.empty(2, *input_shape, device="meta", dtype=_precision(graph))
    with torch.no_grad():
        following.run(example)
    return following.found


def _precision(graph: nn.Module) -> torch.dtype:
    return next((tensor.dtype for tensor in graph.parameters() if tensor.is_floating_point()), torch.float32)


class _Following(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule, zeros: Mapping[str, Tensor], induce: bool) -> None:
        shapes = copy.deepcopy(graph).to("meta")
        super().__init__(shapes)
        # The copy's nodes are others than the caller's, in the same order.
        self._own = dict(zip(shapes.graph.nodes, graph.graph.nodes, strict=True))
        self._zeros, self._induce = zeros, induce
        self._names = _canonical(graph)
        self._last = last_layers(graph)
        self._apart = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
        self._times: dict[str, int] = {}
        for node in graph.graph.nodes:
            if node.op == "call_module":
                self._times[str(node.target)] = self._times.get(str(node.target), 0) + 1
        self._by_weight: dict[str, Site] = {}
        self.found = Followed(Units())

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        value = self._rule(n, result)
        if value is not None:
            self.found.values[self._own[n]] = value
        return result

    # -- one operation ------------------------------------------------------------------------------------------------------------

    def _rule(self, node: fx.Node, result: Any) -> Value | None:
        """What is known of the result; None where nothing is, which fixes all that goes into it."""
        value = self._known(node, result) if isinstance(result, Tensor) else None
        if value is None and not _measures(node, result):
            for argument in node.all_input_nodes:
                if known := self._value(argument):
                    self.found.units.fix(known.ids)
        return value

    def _known(self, node: fx.Node, result: Tensor) -> Value | None:
        if node.op == "call_module":
            return self._layer(node, self.fetch_attr(str(node.target)), result)
        if node.op not in ("call_function", "call_method"):
            return None
        if ops.is_any(node, ops.CONCATENATIONS, set()):
            parts = node.args[0] if node.args else ()
            listed = parts if isinstance(parts, list | tuple) else ()
            return concatenated(node, [self._value_of(part) for part in listed], result) if listed else None
        if ops.is_any(
            node,
            ops.ADDITIONS | ops.PRODUCTS | ops.QUOTIENTS,
            ops.ADDITION_METHODS | ops.PRODUCT_METHODS | ops.QUOTIENT_METHODS,
        ):
            tensors = [argument for argument in node.args[:2] if isinstance(argument, fx.Node)]
            return joined(node, [self._value(tensor) for tensor in tensors], self.found.units, result)
        value = self._first(node)
        if value is None:
            return None
        if ops.is_any(node, ops.KEEPING_FUNCTIONS, ops.KEEPING_METHODS):
            return through(value, result)
        if ops.is_any(node, ops.LOSING_FUNCTIONS, ops.LOSING_METHODS):
            return through(value, result, zero=False)
        if ops.is_any(node, ops.MEANS, ops.MEAN_METHODS):
            return averaged(node, value, result)
        if ops.is_any(node, ops.RESHAPES, ops.RESHAPE_METHODS):
            return reshaped(node, value, result)
        return None

    # -- layers -------------------------------------------------------------------------------------------------------------------

    def _layer(self, node: fx.Node, layer: nn.Module, result: Tensor) -> Value | None:
        value, path = self._first(node), str(node.target)
        if len(node.args) != 1 or node.kwargs:
            return None
        if (
            isinstance(layer, _ConvNd | nn.Linear)
            and f"{path}.weight" in self._names
            and f"{path}.weight" not in self._apart
        ):
            return self._weighted(node, path, layer, value, result)
        if value is None:
            return None
        if isinstance(layer, _BatchNorm):
            return self._normalised(path, layer, value, result)
        if isinstance(layer, ops.KEEPING_LAYERS) or (isinstance(layer, nn.PReLU) and layer.num_parameters == 1):
            return through(value, result)
        if isinstance(layer, nn.Hardtanh):
            return through(value, result, zero=layer.min_val <= 0 <= layer.max_val)
        if isinstance(layer, ops.LOSING_LAYERS):
            return through(value, result, zero=False)
        if isinstance(layer, nn.Flatten) and layer.start_dim == 1 and layer.end_dim == -1:
            return reshaped(node, value, result)
        return None

    def _weighted(
        self, node: fx.Node, path: str, layer: _ConvNd | nn.Linear, value: Value | None, result: Tensor
    ) -> Value | None:
        """A convolution or linear layer."""
        dim = result.dim() - 1 if isinstance(layer, nn.Linear) else 1
        name, groups = self._names[f"{path}.weight"], getattr(layer, "groups", 1)
        weight = self._zero(name, layer.weight)
        weight = weight.flatten(2) if weight.dim() > 2 else weight.unsqueeze(2)
        if isinstance(layer, _ConvTransposeNd):
            weight = weight.transpose(0, 1)
        if value is None or value.dim != dim:
            if value is not None:
                self.found.units.fix(value.ids)
            width = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
            ids = self.found.units.new(width)
            self.found.units.fix(ids)
            value = Value(torch.Size(), dim, ids, torch.zeros(width, dtype=torch.bool))
        if groups == 1:
            rows = (weight | value.zero[None, :, None]).flatten(1).all(1)
            removed = weight.flatten(1).all(1)
            site = self._site(path, name, len(rows), value.ids)
            # Nothing comes of a channel that is zero, or that only zeros read.
            nothing = value.zero | weight.transpose(0, 1).flatten(1).all(1)
            self.found.reads.append(Read(self._own[node], value.ids, nothing))
        elif groups == layer.in_channels == layer.out_channels and not isinstance(layer, _ConvTransposeNd):
            removed = weight.flatten(1).all(1)
            rows = removed | value.zero
            site = self._site(path, name, len(rows), None, value.ids)
        else:
            self.found.units.fix(value.ids)
            out = self.found.units.new(result.shape[dim])
            self.found.units.fix(out)
            return Value(result.shape, dim, out, torch.zeros(len(out), dtype=torch.bool))
        zero = rows & self._bias(path, layer, removed)
        return Value(result.shape, dim, site.out, zero)

    def _site(self, path: str, name: str, width: int, read: Tensor | None, out: Tensor | None = None) -> Site:
        """The layer's place for every channel; a weight that is used again makes the same channels of the same."""
        made = self._by_weight.get(name)
        if made is None:
            made = self._by_weight[name] = Site(self.found.units.new(width) if out is None else out, read)
        elif out is not None:
            self.found.units.join(made.out, out)
        elif made.read is not None and read is not None:
            self.found.units.join(made.read, read)
        self.found.sites[path] = made
        return made

    def _bias(self, path: str, layer: _ConvNd | nn.Linear, removed: Tensor) -> Tensor:
        """Where the layer adds nothing."""
        if layer.bias is None:
            return torch.ones_like(removed)
        zero = self._zero(self._names[f"{path}.bias"], layer.bias)
        if self._induce and path not in self._last:  # whose outputs are read from outside
            self._induced(self._names[f"{path}.bias"], removed & ~zero)
            zero = zero | removed
        return zero

    def _normalised(self, path: str, layer: _BatchNorm, value: Value, result: Tensor) -> Value | None:
        if value.dim != 1:
            return None
        site = self.found.sites.setdefault(path, Site(value.ids))
        self.found.units.join(site.out, value.ids)
        if not layer.affine:
            return through(value, result, zero=False)
        names = [self._names[f"{path}.{part}"] for part in ("weight", "bias")]
        scale, shift = (
            self._zero(name, tensor) for name, tensor in zip(names, (layer.weight, layer.bias), strict=True)
        )
        if self._induce and self._times[path] == 1:
            for name, zero in zip(names, (scale, shift), strict=True):
                self._induced(name, value.zero & ~zero)
            scale, shift = scale | value.zero, shift | value.zero
        return Value(result.shape, 1, value.ids, scale & shift)

    # -- what is asked everywhere ---------------------------------------------------------------------------------------------------

    def _value(self, node: fx.Node) -> Value | None:
        return self.found.values.get(self._own[node])

    def _first(self, node: fx.Node) -> Value | None:
        return self._value_of(node.args[0]) if node.args else None

    def _value_of(self, argument: Any) -> Value | None:
        return self._value(argument) if isinstance(argument, fx.Node) else None

    def _zero(self, name: str, tensor: Tensor) -> Tensor:
        return self._zeros[name].cpu() if name in self._zeros else torch.zeros(tensor.shape, dtype=torch.bool)

    def _induced(self, name: str, zero: Tensor) -> None:
        self.found.induced[name] = self.found.induced.get(name, torch.zeros_like(zero)) | zero


def _measures(node: fx.Node, result: Any) -> bool:
    """Whether only the tensor's shape is asked for."""
    return not isinstance(result, Tensor) and (node.target is getattr or node.target in ("size", "dim"))


def _canonical(model: nn.Module) -> dict[str, str]:
    """The first name of every parameter, by each of its names."""
    first = {id(tensor): name for name, tensor in model.named_parameters()}
    return {name: first[id(tensor)] for name, tensor in model.named_parameters(remove_duplicate=False)}
