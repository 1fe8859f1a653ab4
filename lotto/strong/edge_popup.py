"""Edge-popup (Ramanujan et al. 2020, What's hidden in a randomly weighted neural network?, arXiv 1911.13299)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lotto.pruning.select import keep_highest
from lotto.training.frozen import Frozen


class EdgePopup(Frozen):
    """Keeps in every layer the weights of greatest |score|, and trains the scores alone (§3.2, eq. 4 to 6).

    h = 1 for the k n greatest |s| of a layer, chosen anew after every step; dL/ds = dL/d(h w) * w * sign(s), for weights that are left
    out as well. Each layer keeps as many as the mask that the search starts with; one that is whole stays whole. Scores begin as the
    authors' code has them, drawn from U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)).
    """

    def layers(self) -> list[str]:
        first: Mapping[str, Tensor] = self.view.start or {}
        self._counts = {name: int(first[name].sum()) for name in self.view.kinds if name in first}
        return [name for name, count in self._counts.items() if count < first[name].numel()]

    def first_scores(self, name: str, place: int, weight: Tensor) -> Tensor:
        bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
        return torch.empty(weight.shape).uniform_(-bound, bound, generator=self.view.generator(place))

    def slope(self, name: str) -> Tensor:
        return self.scores[name].detach().sign()

    def begin(self) -> None:
        self._choose()

    def after_update(self, step: int) -> None:
        self._choose()

    def _choose(self) -> None:
        for name, scores in self.scores.items():
            flat = scores.detach().abs().flatten()
            kept = keep_highest(flat, torch.ones_like(flat, dtype=torch.bool), self._counts[name]).view(scores.shape)
            if not torch.equal(kept, self.view.kept(name)) or self._is_first(name):
                self.show(name, kept)

    def _is_first(self, name: str) -> bool:
        """Whether the weights are still whole, as the search found them."""
        left_out = ~self.view.kept(name)
        return bool((self.view.weight(name)[left_out] != 0).any())
