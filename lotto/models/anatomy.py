"""Which tensors of a network can be pruned, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from lotto.errors import BadRequest

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Layer = Convolution | nn.Linear


def layers(model: nn.Module) -> Iterator[tuple[str, Layer]]:
    """The convolutions and linear layers that own their weight, as ``(module path, module)`` in registration order."""
    for path, module in model.named_modules():
        # A parametrised layer computes its weight from other parameters: there is no such parameter to mask.
        if isinstance(module, Layer) and "weight" in module._parameters:
            yield path, module


def kinds(model: nn.Module) -> dict[str, str]:
    """The kind of every prunable tensor, by parameter name and in registration order.

    The prunable tensors are the weights of convolutions and linear layers; one that several layers share appears
    once, under the name that ``named_parameters`` gives it. Kinds are ``"output"`` (the classifier), ``"shortcut"``
    (a 1x1 convolution under a module called shortcut or downsample), ``"conv"`` and ``"dense"``. The classifier is
    the layer that the model's attribute ``output_layer`` names, else the last linear layer, else the last
    convolution. Raises ``BadRequest`` if ``output_layer`` names no such layer.
    """
    kind_of: dict[int, str] = {}
    for path, layer in layers(model):
        kind_of.setdefault(id(layer.weight), _kind(path, layer))
    output = _output(model)
    if output is not None:
        kind_of[id(output.weight)] = "output"
    return {name: kind_of[id(tensor)] for name, tensor in model.named_parameters() if id(tensor) in kind_of}


def counts(model: nn.Module) -> dict[str, int]:
    """The number of weights in every prunable tensor, by parameter name and in registration order."""
    return {name: model.get_parameter(name).numel() for name in kinds(model)}


def scale_counts(model: nn.Module) -> dict[str, int]:
    """The scales of every ``BatchNorm2d`` by name of parameter, in registration order, with their numbers of channels."""
    return {
        f"{path}.weight": module.num_features
        for path, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine
    }


def _kind(path: str, layer: Layer) -> str:
    if isinstance(layer, nn.Linear):
        return "dense"
    is_pointwise = all(side == 1 for side in layer.kernel_size)
    return "shortcut" if is_pointwise and ("shortcut" in path or "downsample" in path) else "conv"


def _output(model: nn.Module) -> Layer | None:
    found = dict(layers(model))
    named = getattr(model, "output_layer", None)
    if isinstance(named, nn.Module):  # a network may as well keep its classifier itself under this name
        named = next((path for path, module in found.items() if module is named), "output_layer")
    if named is not None:
        if named not in found:
            raise BadRequest(
                f"output_layer={named} of {type(model).__name__} names no convolution or linear layer of it"
            )
        return found[named]
    linears: list[Layer] = [layer for layer in found.values() if isinstance(layer, nn.Linear)]
    candidates = linears or list(found.values())
    return candidates[-1] if candidates else None
