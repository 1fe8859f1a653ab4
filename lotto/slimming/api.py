"""From a mask to the smaller network."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.slimming.surgery import slimmed
from lotto.slimming.trace import traced

# Sides of square images that are tried where nobody says the input's shape.
USUAL_SIDES = (32, 28, 224, 8, 16, 64, 96, 128, 299, 384, 512)


def slim(model: nn.Module, mask: Mask | None = None, input_shape: tuple[int, ...] | None = None) -> nn.Module:
    """The physically smaller network: channels that are removed, and branches that add nothing, are not there any more.

    Args:
        model: any module that ``torch.fx`` can follow; it is unchanged.
        mask: what remains. A channel whose weights it removes wholly takes its bias, and the scale and shift of its normalisation, along,
            as in lotto's structured tickets (``zero_with_`` does that to a model). Without a mask only what is zero in ``model`` counts.
        input_shape: of one example, without the batch. Unless given it is looked for: the width of a network that begins with a linear
            layer, square images of usual sizes for one that begins with a convolution.

    Returns:
        A ``torch.fx.GraphModule`` of plain PyTorch layers, in the mode of ``model``, on its device: it trains, saves and exports without
        lotto. Parameters and buffers keep their names. In evaluation mode its output is that of the masked model: exactly, but for the
        order in which products are added up.

    Raises:
        BadRequest: the forward pass cannot be followed, or no usual input fits.
    """
    shape = input_shape or shape_of_input(model)
    whole = copy.deepcopy(model)
    if mask is not None:
        zero_with_(whole, mask, shape)
    zeros = {name: (tensor == 0).cpu() for name, tensor in whole.named_parameters()}
    smaller = slimmed(whole, shape, zeros).module
    return smaller.train(model.training)


def gone_with(
    model: nn.Module, input_shape: tuple[int, ...], mask: Mask, zeroed: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """What has to be zero beside what ``mask`` prunes, since it belongs to removed channels or branches.

    Biases of channels without weights, scale and shift of the normalisation behind them, weights that read them, and all of a branch that
    adds nothing. The classifier's own biases stay: its outputs are read from outside.

    Args:
        zeroed: what is removed beside the mask, by name, such as the scales and shifts of normalisations (bool in their shape).

    Returns:
        bool tensors by name of parameter, in its shape, none of them all false; what ``mask`` prunes is not repeated.

    Raises:
        BadRequest: the forward pass cannot be followed.
    """
    given = dict(zeroed or {})
    zeros = given | {name: ~kept.cpu() | given.get(name, torch.zeros_like(kept.cpu())) for name, kept in mask.items()}
    made = slimmed(model, input_shape, zeros, induce=True)
    parameters = dict(model.named_parameters())
    gone = made.removed(parameters)
    for name, zero in [*made.induced.items(), *given.items()]:
        gone[name] = gone[name] | zero.cpu()
    for name, kept in mask.items():
        gone[name] = gone[name] & kept.cpu()
    return {name: zero for name, zero in gone.items() if bool(zero.any())}


@torch.no_grad()
def zero_with_(model: nn.Module, mask: Mask, input_shape: tuple[int, ...]) -> nn.Module:
    """Set to zero, in place, what ``mask`` prunes and all that goes with it (``gone_with``)."""
    gone = gone_with(model, input_shape, mask)
    mask.apply_(model)
    for name, tensor in model.named_parameters():
        if name in gone:
            tensor.masked_fill_(gone[name].to(tensor.device), 0.0)
    return model


def shape_of_input(model: nn.Module) -> tuple[int, ...]:
    """A shape of one example that ``model`` takes, without the batch.

    Raises:
        BadRequest: none of the usual ones fits.
    """
    graph = traced(model).to("meta")
    first = _first_layer(graph)
    width = getattr(first, "in_channels", None) or getattr(first, "in_features", None)
    if width is None:
        raise BadRequest(f"{type(model).__name__} does not begin with a convolution or linear layer: give input_shape.")
    sided = [(width, *[side] * dims) for side in USUAL_SIDES if (dims := _sides(first))]
    for shape in sided or [(width,)]:
        if _takes(graph, shape):
            return shape
    raise BadRequest(f"{type(model).__name__} takes no square images of usual sizes: give input_shape.")


def _first_layer(graph: fx.GraphModule) -> nn.Module | None:
    layers = (graph.get_submodule(str(node.target)) for node in graph.graph.nodes if node.op == "call_module")
    return next((layer for layer in layers if hasattr(layer, "in_channels") or hasattr(layer, "in_features")), None)


def _sides(layer: nn.Module | None) -> int:
    return len(getattr(layer, "kernel_size", ()))


@torch.no_grad()
def _takes(graph: fx.GraphModule, shape: tuple[int, ...]) -> bool:
    dtype = next(graph.parameters()).dtype
    try:
        graph(torch.empty(2, *shape, device="meta", dtype=dtype))
    except (RuntimeError, ValueError):
        return False
    return True
