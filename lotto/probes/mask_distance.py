"""How far the mask that a network would be pruned to is from its last, along training (Minegishi et al., arXiv 2310.19470).

In the paper masks barely move while the network memorises and run to the last one while it generalises: at p = 67 and 40% of the weights
the Jaccard distance 1 - |m and m'| / |m or m'| falls from .72 to 0, where .75 is what two independent masks have.
"""

from __future__ import annotations

from typing import Annotated

import torch

from lotto.mask import Mask
from lotto.probes.options import Above, AtMost
from lotto.probes.subject import Numbers, State, Subject
from lotto.pruning.select import keep_highest

Density = Annotated[float, Above(0), AtMost(1)]


def probe(subject: Subject, numbers: Numbers, density: Density) -> None:
    """``jaccard`` at the step x, of the network and of every layer: the mask there to the mask at the end of training.

    Both keep the largest weights of the whole network, ``density`` of all prunable ones. What is pruned already is zero and kept last.
    """
    last = largest(subject, subject.network("trained"), density)
    for step, state in subject.along():
        mask = largest(subject, state, density)
        numbers.add("jaccard", 1 - mask.iou(last), x=step)
        for name in mask:
            numbers.add("jaccard", 1 - Mask({name: mask[name]}).iou(Mask({name: last[name]})), layer=name, x=step)


def largest(subject: Subject, state: State, density: float) -> Mask:
    """The mask of the largest weights, exactly ``density`` of them up to rounding."""
    names = subject.prunable
    sizes = torch.cat([state.weights[name].abs().flatten() for name in names])
    kept = keep_highest(sizes, torch.ones_like(sizes, dtype=torch.bool), round(density * len(sizes)))
    pieces = kept.split([state.weights[name].numel() for name in names])
    return Mask({name: piece.view_as(state.weights[name]) for name, piece in zip(names, pieces, strict=True)})
