"""The ticket's mask on constants (Zhou et al. 2019, arXiv 1905.01067, §4): signs of the ticket's weights, all of one size in a layer."""

from __future__ import annotations

import torch

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """Every weight of the rewinding point by its sign times the layer's standard deviation; biases and all else as they are."""
    weights = origin.unpruned()
    constant = {name: torch.sign(weights[name]) * weights[name].std() for name in origin.ticket.mask}
    return Start(weights | constant, origin.ticket.mask)
