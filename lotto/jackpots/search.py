"""The search: scores are trained by the gradient of the effective weights, and weights are exchanged by their scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lotto.jackpots.swap import RESTRICTIONS, scores_of, swapped
from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View


class Search(Regimen):
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

    moves_masks = True

    def __init__(self, view: View, restriction: str, gap: float, every: int) -> None:
        super().__init__(view)
        self._restriction, self._every = RESTRICTIONS[restriction], every
        first: Mapping[str, Tensor] = view.start or {}
        # A layer that is whole stays so: there is nothing to exchange.
        self._layers = [name for name in view.kinds if name in first and not bool(first[name].all())]
        self._weights = {name: view.weight(name).clone() for name in self._layers}
        self._begun = {name: first[name].to(self._weights[name].device) for name in self._layers}
        self._scores = {
            name: nn.Parameter(scores_of(kept, gap, self._weights[name].dtype)) for name, kept in self._begun.items()
        }

    def begin(self) -> None:
        for name in self._layers:
            self._show(name, self._begun[name])

    def trained(self) -> dict[str, nn.Parameter]:
        return self._scores

    def after_backward(self, step: int) -> bool:
        for name, scores in self._scores.items():
            gradient = self.view.gradient(name)
            scores.grad = torch.zeros_like(scores) if gradient is None else gradient * self._weights[name]
        return True

    def after_update(self, step: int) -> None:
        if (step + 1) % self._every:
            return
        restriction = self._restriction(self._epoch(step) / self._epochs)
        for name, scores in self._scores.items():
            before = self.view.kept(name)
            after = swapped(scores.detach(), before, restriction)
            if not torch.equal(after, before):
                self._show(name, after)

    def row(self) -> dict[str, float]:
        """``overlap``: the share of the weights of pruned layers that the search still has from the mask it began with."""
        same = sum(int((self.view.kept(name) & begun).sum()) for name, begun in self._begun.items())
        return {"overlap": same / max(1, sum(int(begun.sum()) for begun in self._begun.values()))}

    def results(self) -> dict[str, Any]:
        return {"overlap_with_first": self.row()["overlap"]}

    def state(self) -> Tensors:
        return {f"{kind}/{name}": tensor for kind, own in self._own.items() for name, tensor in own.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for kind, own in self._own.items():
            for name, tensor in own.items():
                tensor.copy_(state[f"{kind}/{name}"])

    def artifact(self) -> Tensors:
        return super().artifact() | {f"scores/{name}": scores.detach() for name, scores in self._scores.items()}

    @property
    def _own(self) -> dict[str, Mapping[str, Tensor]]:
        return {
            "scores": {name: scores.detach() for name, scores in self._scores.items()},
            "weights": self._weights,
            "begun": self._begun,
        }

    def _show(self, name: str, kept: Tensor) -> None:
        """The network has this mask from now on, and the weights that belong to it."""
        self.view.keep(name, kept)
        self.view.weight(name).copy_(self._weights[name] * kept)

    def _epoch(self, step: int) -> int:
        return step // self.view.steps_per_epoch

    @property
    def _epochs(self) -> int:
        return max(1, -(-int(self.view.recipe["stop"]) // self.view.steps_per_epoch))
