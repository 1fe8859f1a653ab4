"""Pairs of residues as one-hot vectors, for networks that are to grok them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lotto.data.base import Labelled, ResidentData
from lotto.data.facts import Facts
from lotto.data.normalise import Scale
from lotto.data.residues import OPERATIONS, RANDOM
from lotto.data.split import hold_out
from lotto.seeds import Streams


class Modular(ResidentData):
    """Every pair (a, b) once: uint8 ``[n, 1, 2, p]``, one-hot, and the label ``operation(a, b) mod p``.

    ``split_seed`` draws which pairs are for training, the same for every replicate, and the table of ``operation=random``.
    ``lotto.data.residues.declared`` says what validation and test are.
    """

    def __init__(
        self, facts: Facts, p: int, operation: str, symmetric: bool, fraction: float, split_seed: int = 0
    ) -> None:
        super().__init__(facts, Scale(1), None, split_seed)
        self.p, self.operation, self.symmetric = p, operation, symmetric

    def read(self) -> tuple[Labelled, Labelled]:
        """The pairs to train on, and all that are held out."""
        a, b = self._pairs()
        whole = Labelled(
            F.one_hot(torch.stack([a, b], 1), self.p).to(torch.uint8).unsqueeze(1), self._labels(a, b).remainder(self.p)
        )
        kept, held = hold_out(len(a), len(a) - self.sizes["train"], "test", self.split_seed)
        return whole.take(kept), whole.take(held)

    def divide(self, train: Labelled, test: Labelled) -> dict[str, Labelled]:
        if self.sizes["test"] == len(test.labels):
            return {
                "train": train,
                "validation": test if self.sizes["validation"] else test.take(_none()),
                "test": test,
            }
        kept, held = hold_out(len(test.labels), self.sizes["validation"], "validation", self.split_seed)
        return {"train": train, "validation": test.take(held), "test": test.take(kept)}

    def _pairs(self) -> tuple[Tensor, Tensor]:
        """Both residues of every pair, int64 ``[n]``."""
        if self.symmetric:
            a, b = torch.triu_indices(self.p, self.p)
        else:
            a, b = torch.cartesian_prod(torch.arange(self.p), torch.arange(self.p)).T
        return a, b

    def _labels(self, a: Tensor, b: Tensor) -> Tensor:
        if self.operation == RANDOM:
            generator = Streams(self.split_seed, 0).generator("random-table")
            return torch.randint(self.p, (self.p, self.p), generator=generator)[a, b]
        return OPERATIONS[self.operation](a, b)


def _none() -> Tensor:
    return torch.zeros(0, dtype=torch.int64)
