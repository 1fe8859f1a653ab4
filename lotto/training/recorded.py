"""A stack's forward pass as a flat list of operations, recorded once.

``torch.func.vmap`` keeps books for every operation, at every step: for small networks as much work as the step itself. What it comes to
is always the same, so it is recorded for each shape of input and run from there, linear layers as one operation each. Recording sees the
operations that were computed and not the Python around them: the engine's trial compares values and gradients before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

Pass = Callable[..., Tensor]

# Operations without an effect where nobody uses their result: what is left of vmap's own work and of placeholders.
_IDLE = (torch.ops.aten.alias.default, torch.ops.aten.expand.default, torch.ops.aten.new_full.default)


class Recordings:
    """Forward passes by what tells them apart; one object serves all fits of a network."""

    def __init__(self) -> None:
        self._passes: dict[Hashable, Pass] = {}

    def find(self, key: Hashable, function: Pass, arguments: Sequence[Tensor]) -> Pass:
        """``function`` of tensors, recorded: its first argument is then how linear layers are computed, by name."""
        if key not in self._passes:
            self._passes[key] = _record(function, arguments)
        return self._passes[key]


@torch.no_grad()
def _record(function: Pass, arguments: Sequence[Tensor]) -> Pass:
    module = make_fx(function)(*(argument.detach() for argument in arguments))
    graph = module.graph
    with graph.inserting_before(next(iter(graph.nodes))):
        linears = graph.placeholder("linears")
    for node in reversed(graph.nodes):
        if node.target in _IDLE and not node.users:
            graph.erase_node(node)
        elif node.target is torch.ops.aten.permute.default and node.args[1] == sorted(node.args[1]):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif node.target is torch.ops.lotto.linear.default:
            x, weight, bias, name, shared, _ = node.args
            node.target, node.args = _linear, (linears, name, x, weight, bias, shared)
    module.recompile()
    return module.forward


def linear(name: str, x: Tensor, weight: Tensor, bias: Tensor | None, shared: bool, shape: Sequence[int]) -> Tensor:
    """While a pass is recorded: stands for the layer ``name``, with a result of that ``shape``."""
    return torch.ops.lotto.linear(x, weight, bias, name, shared, list(shape))


def _linear(linears: Any, name: str, x: Tensor, weight: Tensor, bias: Tensor | None, shared: bool) -> Tensor:
    return linears[name](x, weight, bias, shared)


_LIBRARY = torch.library.Library("lotto", "DEF")
_LIBRARY.define("linear(Tensor x, Tensor weight, Tensor? bias, str name, bool shared, int[] shape) -> Tensor")
_LIBRARY.impl("linear", lambda x, *of_no_matter: x.new_empty(of_no_matter[-1]), "CompositeExplicitAutograd")
