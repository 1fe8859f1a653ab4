"""The whole network at the norm of the ticket: is it the smaller weights that make the ticket generalise, or which ones are left?

Grokking has been explained by the norm of the weights, which has to shrink first. Minegishi et al. (arXiv 2310.19470) train the dense
network from r theta_0, with r = |m theta_0|_q / |theta_0|_q, beside the ticket m theta_0, for q = 1 and 2; |.|_q is the mean over the
weight tensors of their q-norms. For the largest 40% of the weights of a trained network they give r_1 = 0.415 and r_2 = 0.649.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from lotto.controls.origin import Origin, Start
from lotto.mask import Mask
from lotto.probes.options import AtLeast

Q = Annotated[float, AtLeast(1)]


def make(origin: Origin, q: Q = 2.0, by_layer: bool = False) -> Start:
    """All prunable weights of the rewinding point, scaled to the ticket's mean q-norm; nothing is pruned.

    With ``by_layer`` every tensor has a factor of its own and comes to the q-norm that the ticket has there. What cannot be pruned
    (biases, normalisation) stays the ticket's.
    """
    weights, mask = origin.unpruned(), origin.ticket.mask
    whole, masked = norms(weights, mask, q), norms(mask.apply(weights), mask, q)
    common = sum(masked.values()) / sum(whole.values())
    for name in mask:
        # What has no norm at all stays zero whatever it is multiplied by.
        factor = (masked[name] / whole[name] if whole[name] else 1.0) if by_layer else common
        weights[name] = (weights[name].double() * factor).to(weights[name].dtype)
    return Start(weights, Mask.ones(mask))


def norms(weights: Mapping[str, Tensor], mask: Mask, q: float) -> dict[str, float]:
    """The q-norm of every tensor that ``mask`` names."""
    return {name: float(torch.linalg.vector_norm(weights[name].double(), q)) for name in mask}
