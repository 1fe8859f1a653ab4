"""A network's forward pass as a graph of operations (``torch.fx``)."""

from __future__ import annotations

import copy
from typing import Any

import torch.nn.functional as F
from torch import fx, nn
from torch.nn.modules.conv import _ConvNd

from lotto.errors import BadRequest

# By how many of the dropout functions' names: the module that does the same and minds train and eval.
_DROPOUTS: dict[Any, type[nn.Module]] = {
    F.dropout: nn.Dropout, F.dropout1d: nn.Dropout1d, F.dropout2d: nn.Dropout2d, F.dropout3d: nn.Dropout3d,
    F.alpha_dropout: nn.AlphaDropout, F.feature_alpha_dropout: nn.FeatureAlphaDropout,
}  # fmt: skip
_DROPOUT_PROBABILITY = 0.5  # PyTorch's own default


def traced(model: nn.Module) -> fx.GraphModule:
    """A copy of ``model`` as a graph, in evaluation mode, with parameters and buffers of the same names.

    PyTorch's own layers stay layers. Dropout that is called as a function becomes a layer, so that it minds train and eval; any other
    function that was handed the mode does as in evaluation. Nothing writes over its input any more.

    Raises:
        BadRequest: the forward pass cannot be followed, since it looks at the values or shapes of its input.
    """
    try:
        graph = fx.symbolic_trace(copy.deepcopy(model).eval())
    except Exception as reason:
        first = (str(reason) or type(reason).__name__).splitlines()[0]
        raise BadRequest(
            f"{type(model).__name__} cannot be slimmed: torch.fx cannot follow its forward pass ({first})."
        ) from None
    _dropouts_as_layers(graph)
    for module in graph.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    for node in graph.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    graph.recompile()
    return graph


def _dropouts_as_layers(graph: fx.GraphModule) -> None:
    for number, node in enumerate(list(graph.graph.nodes)):
        if node.op != "call_function" or node.target not in _DROPOUTS:
            continue
        settings = dict(zip(("input", "p"), node.args, strict=False)) | node.kwargs
        name = f"dropout_{number}"
        graph.add_submodule(name, _DROPOUTS[node.target](settings.get("p", _DROPOUT_PROBABILITY)))
        with graph.graph.inserting_after(node):
            layer = graph.graph.call_module(name, (settings["input"],))
        node.replace_all_uses_with(layer)
        graph.graph.erase_node(node)


def last_layers(graph: fx.GraphModule) -> set[str]:
    """The layers with weights from which the output is reached without passing another."""
    pending, seen, found = [node for node in graph.graph.nodes if node.op == "output"], set[fx.Node](), set[str]()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), _ConvNd | nn.Linear):
            found.add(str(node.target))
        else:
            pending.extend(node.all_input_nodes)
    return found
