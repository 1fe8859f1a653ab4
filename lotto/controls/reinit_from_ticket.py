"""Reinitialisation from the ticket's own distribution (Frankle & Carbin 2019, App. F.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from lotto.controls.origin import Origin, Start


def make(origin: Origin, keep_sign: bool = False) -> Start:
    """The same mask; every layer's weights drawn with replacement from the values that survive in that layer.

    Biases and normalisation stay the ticket's. With ``keep_sign`` a weight draws among the survivors of its own sign.
    """
    generator = origin.generator("reinit_from_ticket")
    weights = dict(origin.ticket.weights)
    for name, mask in origin.ticket.mask.items():
        survivors = weights[name][mask]
        drawn = weights[name].clone()
        drawn[mask] = _by_sign(survivors, generator) if keep_sign else _resampled(survivors, len(survivors), generator)
        weights[name] = drawn
    return Start(weights, origin.ticket.mask)


def _resampled(values: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return values[torch.randint(len(values), (count,), generator=generator)] if count else values


def _by_sign(values: Tensor, generator: torch.Generator) -> Tensor:
    drawn = values.clone()
    for side in (values >= 0, values < 0):
        drawn[side] = _resampled(values[side], int(side.sum()), generator)
    return drawn
