"""Random streams by purpose.

Every random draw in lotto comes from a stream named by ``(seed, replicate, purpose, indices)``. A stream never depends on how many
replicates there are, on how they are stacked or on what was drawn before, so that a resumed, a stacked and a single run draw alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, order=True)
class Streams:
    """All random streams of one replicate.

    Purposes in use: ``init``, ``order`` (epoch), ``augment`` (epoch), ``layers`` (dropout and the like, at a step), one
    for each control, and ``regimen`` (whatever numbers it gives).

    Args:
        noise: 0, or the number of a copy that is trained in another order: the noise u of stochastic gradient descent alone
            (Frankle et al. 2020, Linear Mode Connectivity, Alg. 1). It changes every stream of a training and no initialisation.
    """

    seed: int
    replicate: int
    noise: int = 0

    def number(self, purpose: str, *indices: int) -> int:
        """The stream's 63-bit seed: the head of SHA-256 over its name."""
        copy = (f"noise{self.noise}",) if self.noise else ()
        name = "/".join(map(str, (self.seed, self.replicate, *copy, purpose, *indices)))
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1

    def generator(self, purpose: str, *indices: int) -> torch.Generator:
        """A CPU generator at the head of the stream: draws are the same whatever device they are used on."""
        import torch

        return torch.Generator().manual_seed(self.number(purpose, *indices))

    def permutation(self, length: int, epoch: int) -> torch.Tensor:
        """The order in which ``length`` training examples are seen in ``epoch``: int64 ``[length]``, on the CPU."""
        import torch

        return torch.randperm(length, generator=self.generator("order", epoch))
