"""Drawing the ticket: what is removed from a network in the middle of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lotto.early_bird.channels import by_layer, guarded, largest, makers, shift_of
from lotto.early_bird.moment import Moment
from lotto.mask import Mask
from lotto.models.anatomy import kinds, scale_counts
from lotto.pruning.select import keep_highest
from lotto.seeds import Streams
from lotto.slimming import gone_with

Tensors = Mapping[str, Tensor]


def moment_of(fields: Mapping[str, Any], source: Tensors) -> Moment:
    """The moment of a training, an artifact's tensors, that a stage's fields name."""
    if fields["step"] is None:
        return Moment.found(source, fields["ratio"])
    return Moment.at(source, fields["step"])


def drawn(
    fields: Mapping[str, Any], moment: Moment, model: nn.Module, streams: Streams
) -> tuple[Mask, dict[str, Tensor], dict[str, Any]]:
    """The ticket's mask, what is zero beside it, and a ``warning`` for the record where there is one."""
    ratio = fields["ratio"]
    if fields["removes"] == "weights":
        return without_weights(moment.weights, model, ratio), {}, {}
    kept, emptied = channels_of(moment.weights, model, ratio)
    if fields["channels"] == "random":
        kept = shuffled(kept, streams.generator("draw/channels", fields["level"]))
    mask, zeroed = without_channels(model, tuple(fields["input_shape"]), kept)
    return mask, zeroed, {"warning": emptied_sentence(emptied, ratio)} if emptied else {}


def channels_of(weights: Tensors, model: nn.Module, ratio: float) -> tuple[dict[str, Tensor], list[str]]:
    """The channels of the largest scales in ``weights``, every layer keeping one at least.

    Returns:
        bool by name of scale, and the scales of the layers that would have kept none.
    """
    counts = scale_counts(model)
    scales = torch.cat([weights[name].flatten() for name in counts]).abs()
    return guarded(by_layer(largest(scales, ratio), counts))


def emptied_sentence(scales: Sequence[str], ratio: float) -> str:
    """What to tell of layers that would have kept no channel."""
    layers = ", ".join(name.removesuffix(".weight") for name in scales)
    return f"A prune ratio of {ratio:g} leaves no channel of {layers}, whose first channel stays all the same."


def shuffled(kept: Tensors, generator: torch.Generator) -> dict[str, Tensor]:
    """As many channels of every layer, at places drawn uniformly."""
    return {name: own[torch.randperm(len(own), generator=generator)] for name, own in kept.items()}


def without_channels(model: nn.Module, input_shape: tuple[int, ...], kept: Tensors) -> tuple[Mask, dict[str, Tensor]]:
    """The mask without the weights that make removed channels, and all that is zero beside it: scales, shifts, what reads nothing.

    A channel that is added to a skip connection is silenced and not taken out, unless all that are added there go. Where a normalisation
    reads a sum, only its scales and shifts are zeroed: others read the sum as well.

    Returns:
        the mask, and bool tensors by name of parameter (``lotto.zeroed``).

    Raises:
        BadRequest: the forward pass cannot be followed.
    """
    parameters = dict(model.named_parameters())
    own = {name: torch.ones(parameters[name].shape, dtype=torch.bool) for name in kinds(model)}
    for scale, weight in makers(model).items():
        if scale in kept and weight in own:
            own[weight][~kept[scale]] = False
    mask = Mask(own)
    silenced = {name: ~channels for scale, channels in kept.items() for name in (scale, shift_of(scale))}
    return mask, gone_with(model, input_shape, mask, silenced)


def without_weights(weights: Tensors, model: nn.Module, ratio: float) -> Mask:
    """In every layer the share ``ratio`` of the smallest weights pruned, as WORM's scripts do; biases and scales, pruned there, stay."""
    made = {}
    for name in kinds(model):
        size = weights[name].abs().flatten()
        kept = keep_highest(size, torch.ones_like(size, dtype=torch.bool), len(size) - round(ratio * len(size)))
        made[name] = kept.view(weights[name].shape)
    return Mask(made)
