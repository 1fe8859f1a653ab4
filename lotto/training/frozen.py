"""What searches of masks by scores have in common: weights that stay as they are, and a score for each that is trained in its place."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View


class Frozen(Regimen):
    """Trains a score for every weight of the pruned layers; weights, biases and the affine part of normalisation stay bit for bit.

    The forward pass takes the effective weights h * w, h from the scores s; the gradient of s is that of h, straight through, for weights
    that are left out as well: dL/ds = dL/d(h * w) * w * dh/ds. Running statistics of batch normalisation adapt to the sparse network.
    """

    moves_masks = True

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.weights = {name: view.weight(name).clone() for name in self.layers()}
        self.scores = {
            name: nn.Parameter(self.first_scores(name, place, weight).to(weight))
            for place, (name, weight) in enumerate(self.weights.items())
        }

    def layers(self) -> list[str]:
        """The weights that have scores: all prunable ones, unless a search says otherwise."""
        return list(self.view.kinds)

    @abstractmethod
    def first_scores(self, name: str, place: int, weight: Tensor) -> Tensor:
        """What the search begins with, shaped like the weight; ``place`` tells its stream of random numbers."""

    def slope(self, name: str) -> Tensor | float:
        """dh/ds, straight through, times the factor by which the effective weights differ from h * w."""
        return 1.0

    def trained(self) -> dict[str, nn.Parameter]:
        return self.scores

    def after_backward(self, step: int) -> bool:
        for name, scores in self.scores.items():
            gradient = self.view.gradient(name)
            scores.grad = (
                torch.zeros_like(scores) if gradient is None else gradient * self.weights[name] * self.slope(name)
            )
        return True

    def show(self, name: str, kept: Tensor, factor: float = 1.0) -> None:
        """The network has this mask from now on, and the weights that belong to it."""
        self.view.keep(name, kept)
        self.view.weight(name).copy_(self.weights[name] * kept if factor == 1 else self.weights[name] * kept * factor)

    def state(self) -> Tensors:
        return {f"{kind}/{name}": tensor for kind, own in self.remembered().items() for name, tensor in own.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for kind, own in self.remembered().items():
            for name, tensor in own.items():
                tensor.copy_(state[f"{kind}/{name}"])

    def artifact(self) -> Tensors:
        return super().artifact() | {f"scores/{name}": scores.detach() for name, scores in self.scores.items()}

    def remembered(self) -> dict[str, Mapping[str, Tensor]]:
        """The tensors that its state is made of, by what they are and by layer; a later fit writes into them."""
        return {
            "scores": {name: scores.detach() for name, scores in self.scores.items()},
            "weights": self.weights,
        }
