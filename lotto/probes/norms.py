"""How large the weights are, along training (Minegishi et al., arXiv 2310.19470, log both norms)."""

from __future__ import annotations

from statistics import fmean

from lotto.controls.norm import norms
from lotto.probes.subject import Numbers, Subject


def probe(subject: Subject, numbers: Numbers) -> None:
    """``l1`` and ``l2`` of every prunable tensor at the step x, and of the network: there the mean over its tensors, as in the paper.

    Pruned weights are zero and count as that, so that a ticket's norms are those of its mask times its weights.
    """
    for step, state in subject.along():
        mask = subject.mask(state)
        for q in (1, 2):
            found = norms(state.weights, mask, q)
            numbers.add(f"l{q}", fmean(found.values()), x=step)
            for name, value in found.items():
                numbers.add(f"l{q}", value, layer=name, x=step)
