"""The search: scores are trained by the gradient of the effective weights, and weights are exchanged by their scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lotto.jackpots.swap import RESTRICTIONS, scores_of, swapped
from lotto.training.frozen import Frozen
from lotto.training.regimen import View


class Search(Frozen):
    """Looks for a better mask in a network whose weights never change (Zhang et al. 2021, arXiv 2104.08700, §3).

    Of a layer with weights W, scores M and the mask B the forward pass takes B * W; the gradient of M is that of B, straight through:
    dL/dM = W * dL/d(B * W), for pruned weights as well. Only M is trained. After a step weights change places as ``swapped`` says, so
    that every layer keeps its number; B follows from the path of M and not from M alone, and is part of the state.
    Weights, biases and the affine part of batch normalisation stay bit for bit; running statistics adapt to the sparse network.

    Args:
        restriction: how much of the wanted exchange takes place, over the epochs e = 0 … E - 1 of the search: ``none`` all of it,
            ``quartic`` (1 - e / E)^4, ``cosine`` (1 + cos(pi e / E)) / 2, ``one`` a single pair. The paper's ratio is not stated in
            words; the authors' CIFAR code rounds the quartic up before it multiplies, which makes it 1. Here it is what it says.
        gap: by how much the scores of pruned weights begin below the 1 of kept ones.
        every: steps between two updates of the mask.
    """

    def __init__(self, view: View, restriction: str, gap: float, every: int) -> None:
        first: Mapping[str, Tensor] = view.start or {}
        # A layer that is whole stays so: there is nothing to exchange.
        pruned = [name for name in view.kinds if name in first and not bool(first[name].all())]
        self._begun = {name: first[name].to(view.weight(name).device) for name in pruned}
        self._restriction, self._gap, self._every = RESTRICTIONS[restriction], gap, every
        super().__init__(view)

    def layers(self) -> list[str]:
        return list(self._begun)

    def first_scores(self, name: str, place: int, weight: Tensor) -> Tensor:
        return scores_of(self._begun[name], self._gap, weight.dtype)

    def begin(self) -> None:
        for name, kept in self._begun.items():
            self.show(name, kept)

    def after_update(self, step: int) -> None:
        if (step + 1) % self._every:
            return
        restriction = self._restriction(self._epoch(step) / self._epochs)
        for name, scores in self.scores.items():
            before = self.view.kept(name)
            after = swapped(scores.detach(), before, restriction)
            if not torch.equal(after, before):
                self.show(name, after)

    def row(self) -> dict[str, float]:
        """``overlap``: the share of the weights of pruned layers that the search still has from the mask it began with."""
        same = sum(int((self.view.kept(name) & begun).sum()) for name, begun in self._begun.items())
        return {"overlap": same / max(1, sum(int(begun.sum()) for begun in self._begun.values()))}

    def results(self) -> dict[str, Any]:
        return {"overlap_with_first": self.row()["overlap"]}

    def remembered(self) -> dict[str, Mapping[str, Tensor]]:
        return super().remembered() | {"begun": self._begun}

    def _epoch(self, step: int) -> int:
        return step // self.view.steps_per_epoch

    @property
    def _epochs(self) -> int:
        return max(1, -(-int(self.view.recipe["stop"]) // self.view.steps_per_epoch))
