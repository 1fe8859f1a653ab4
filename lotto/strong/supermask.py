"""Learned supermasks (Zhou et al. 2019, Deconstructing lottery tickets: zeros, signs, and the supermask, arXiv 1905.01067, §5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lotto.training.frozen import Frozen
from lotto.training.network import Tensors
from lotto.training.regimen import View


class Supermask(Frozen):
    """Draws h ~ Bernoulli(sigmoid(a)) anew at every step and trains a, straight through the draw: dL/da = dL/d(h w) * w * sigmoid'(a).

    Evaluated and stored is the thresholded mask, sigmoid(a) > 1/2; masks drawn from the probabilities are rows of their own. ``rescale``
    multiplies a layer's effective weights by its number of entries over its number of ones (dynamic weight rescaling), in the search and in
    what is stored. Whether the gradient also runs through that factor is not stated; here it does not.

    Args:
        bias: what all scores begin with: every weight is kept with probability sigmoid(bias).
        rescale: as said.
    """

    def __init__(self, view: View, bias: float, rescale: bool) -> None:
        self._bias, self._rescale = bias, rescale
        super().__init__(view)
        self._factors = dict.fromkeys(self.scores, 1.0)

    def first_scores(self, name: str, place: int, weight: Tensor) -> Tensor:
        return torch.full(weight.shape, float(self._bias))

    def slope(self, name: str) -> Tensor:
        kept = self.scores[name].detach().sigmoid()
        return kept * (1 - kept) * self._factors[name]

    def begin(self) -> None:
        self._threshold()

    def before_forward(self, step: int) -> None:
        for place, (name, scores) in enumerate(self.scores.items()):
            drawn = torch.rand(scores.shape, generator=self.view.generator(step, place)).to(scores)
            self._take(name, drawn < scores.detach().sigmoid())

    def before_evaluation(self, step: int) -> None:
        with torch.no_grad():
            self._threshold()

    def row(self) -> dict[str, float]:
        """``kept``: the share of weights that the thresholded mask has now."""
        count = sum(int((scores > 0).sum()) for scores in self.scores.values())
        return {"kept": count / sum(scores.numel() for scores in self.scores.values())}

    def results(self) -> dict[str, Any]:
        return {"numbers": {"expected_density": self._expected()}}

    def _expected(self) -> float:
        """The density of a drawn mask, on average."""
        total = sum(float(scores.detach().sigmoid().double().sum()) for scores in self.scores.values())
        return total / sum(scores.numel() for scores in self.scores.values())

    def _threshold(self) -> None:
        for name, scores in self.scores.items():
            self._take(name, scores.detach() > 0)

    def _take(self, name: str, kept: Tensor) -> None:
        self._factors[name] = factor(kept) if self._rescale else 1.0
        self.show(name, kept, self._factors[name])


def factor(kept: Tensor) -> float:
    """Dynamic weight rescaling: entries over ones; 1 where nothing is left to scale."""
    ones = int(kept.sum())
    return kept.numel() / ones if ones else 1.0


def drawn(scores: Tensors, weights: Tensors, generator: torch.Generator, rescale: bool) -> tuple[Tensors, Tensors]:
    """One mask drawn from trained probabilities, in the order of ``scores``, and the weights that it leaves."""
    masks = {
        name: torch.rand(score.shape, generator=generator) < score.double().sigmoid() for name, score in scores.items()
    }
    left = {name: weights[name] * kept * (factor(kept) if rescale else 1.0) for name, kept in masks.items()}
    return {**weights, **left}, masks
