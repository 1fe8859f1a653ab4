"""Noise on the ticket's weights: how exactly must they be kept? (Frankle & Carbin 2019, App. F.7, Fig 25)."""

from __future__ import annotations

import torch

from lotto.controls.origin import Origin, Start


def make(origin: Origin, scale: float = 0.5) -> Start:
    """The same mask; to every surviving weight N(0, (scale * sigma)^2) is added.

    sigma is the standard deviation of the layer's unpruned weights at the rewinding point; the paper takes it of the distribution
    that they are drawn from and shows scales 0.5, 1, 2 and 3.
    """
    generator = origin.generator("noise")
    weights = dict(origin.ticket.weights)
    for name in origin.ticket.mask:
        noise = torch.randn(weights[name].shape, generator=generator, dtype=weights[name].dtype)
        weights[name] = weights[name] + scale * origin.weights[name].std() * noise
    return Start(weights, origin.ticket.mask)
