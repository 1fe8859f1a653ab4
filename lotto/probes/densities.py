"""How much of every layer remains, and how the remaining weights are spread over its units (Frankle & Carbin 2019, App. F)."""

from __future__ import annotations

from torch import Tensor, nn

from lotto.models.anatomy import Layer, layers
from lotto.probes.subject import Numbers, Subject

_TRANSPOSED = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


def probe(subject: Subject, numbers: Numbers) -> None:
    """``density`` and ``remaining`` (weights) of every layer and of the whole network, and what is connected to what.

    For every layer ``incoming_mean``, ``incoming_sd``, ``incoming_min`` and ``incoming_max`` of the weights that remain for each of its
    units, or output channels, and ``outgoing_…`` of those that remain for each of its inputs, or input channels; the standard deviation
    is that over all units. ``without_incoming`` and ``without_outgoing`` count the units that none is left for.
    """
    mask = subject.mask(subject.network("trained"))
    numbers.add("density", mask.density)
    numbers.add("remaining", mask.remaining)
    owners = {f"{path}.weight" if path else "weight": layer for path, layer in layers(subject.module())}
    for name, kept in mask.items():
        numbers.add("density", float(kept.double().mean()), layer=name)
        numbers.add("remaining", int(kept.sum()), layer=name)
        for direction, counts in zip(("incoming", "outgoing"), connections(kept, owners[name]), strict=True):
            spread = counts.double()
            numbers.add(f"{direction}_mean", float(spread.mean()), layer=name)
            numbers.add(f"{direction}_sd", float(spread.std(correction=0)), layer=name)
            numbers.add(f"{direction}_min", int(counts.min()), layer=name)
            numbers.add(f"{direction}_max", int(counts.max()), layer=name)
            numbers.add(f"without_{direction}", int((counts == 0).sum()), layer=name)


def connections(kept: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """How many weights remain for every output of a layer, int64 ``[outputs]``, and for every input, int64 ``[inputs]``.

    Args:
        kept: bool, in the shape of the layer's weight.
    """
    groups = 1 if isinstance(layer, nn.Linear) else layer.groups
    # A weight is [outputs, inputs / groups, …], or the other way round where the convolution is transposed.
    apart = kept.view(groups, kept.shape[0] // groups, kept.shape[1], -1)
    of_rows, of_columns = apart.sum((2, 3)).flatten(), apart.sum((1, 3)).flatten()
    return (of_columns, of_rows) if isinstance(layer, _TRANSPOSED) else (of_rows, of_columns)
