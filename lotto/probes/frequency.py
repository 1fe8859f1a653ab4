"""How few frequencies a network computes with: a network that has grokked modular arithmetic adds on a few circles.

Of a network with ``read_in()`` and ``read_out()`` (``lotto.models.modular``) each hidden unit has two vectors of length p: what it reads
of every token, a row of W_in W_E, and what it adds to every logit, a column of W_U^T W_out. Minegishi et al. (arXiv 2310.19470) take the
amplitudes |FFT| of each at the frequencies 1 to floor(p/2) - 1, scale them to sum 1 and average the entropies over the units.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from lotto.models.anatomy import layers
from lotto.probes.subject import Numbers, Subject
from lotto.training.network import load_state


@runtime_checkable
class ReadsResidues(Protocol):
    """A network whose hidden units read and write tokens through products of weights, ``[units, p]`` each."""

    def read_in(self) -> Tensor: ...

    def read_out(self) -> Tensor: ...


@torch.no_grad()
def probe(subject: Subject, numbers: Numbers) -> None:
    """``entropy_in`` and ``entropy_out`` at the step x, in nats.

    Of any other network ``entropy_in`` alone, of the rows of its first weight matrix, or of its first convolution's weights of each
    output channel: what its units read.
    """
    for step, state in subject.along():
        module = subject.module()
        load_state(module, state.weights)
        if isinstance(module, ReadsResidues):
            numbers.add("entropy_in", entropy(module.read_in()), x=step)
            numbers.add("entropy_out", entropy(module.read_out()), x=step)
        else:
            _, first = next(layers(module))
            numbers.add("entropy_in", entropy(first.weight.flatten(1)), x=step)


def entropy(rows: Tensor) -> float:
    """Mean entropy in nats of the amplitudes of every row of ``[units, p]``; a row without any amplitude counts not at all."""
    amplitudes = torch.fft.rfft(rows.double(), dim=1).abs()[:, 1 : rows.shape[1] // 2]
    total = amplitudes.sum(1, keepdim=True)
    shares = amplitudes[total.squeeze(1) > 0] / total[total.squeeze(1) > 0]
    return float(torch.special.entr(shares).sum(1).mean())
