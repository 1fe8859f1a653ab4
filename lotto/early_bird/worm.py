"""WORM (Vasudev 2024): Early-Bird search that damps the gradients of the channels which the mask leaves out at the moment.

Before epoch e the mask m_e and its distances are taken as in ``lotto.early_bird.search``; unless they settle the search, M = m_e and
dbar is the mean of the four distances, which count as 1 until the queue is full. During the epoch, after every backward pass, scale and
shift of every ``BatchNorm2d`` layer l have their gradients multiplied:

    grad <- grad * (M_l + chi (1 - M_l))

chi is 1 at first and becomes ``least`` = 0.003 for good once dbar < ``gate`` = 0.15. The code has two further variants: ``gradclip``
(chi is 0.1 from the first mask on) and ``greedy`` (chi is min(1, dbar) in every epoch). Weights of convolutions train as they would.

What is damped is the whole gradient, the penalty on scales included; momentum and weight decay still move a damped channel. Near chi = 0
the left-out scales stand still, so that only kept channels can change the mask: the epoch when it settles proves little by itself.

In the authors' newest code the hook multiplies one layer's gradient by the mask of the whole network, which does not fit; this is the
algorithm of their earlier version.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lotto.early_bird.channels import by_layer, shift_of
from lotto.early_bird.search import EarlyBird
from lotto.training.network import Tensors
from lotto.training.regimen import View


class Worm(EarlyBird):
    """Early-Bird search for one prune ratio, with damped gradients.

    Args:
        ratio: p.
        variant: ``gated``, ``gradclip`` or ``greedy``.
        gate: tau, the mean distance below which chi falls.
        least: chi from then on.
        clip: the constant chi of ``gradclip``.
    """

    def __init__(
        self,
        view: View,
        ratio: float,
        epsilon: float = 0.1,
        num_masks: int = 5,
        until: str = "found",
        variant: str = "gated",
        gate: float = 0.15,
        least: float = 0.003,
        clip: float = 0.1,
    ) -> None:
        super().__init__(view, [ratio], epsilon, num_masks, until)
        self._variant, self._gate, self._least, self._clip = variant, gate, least, clip
        self.damping = 1.0
        self._mask: dict[str, Tensor] = {}

    def look(self, step: int) -> None:
        super().look(step)
        self.damping = self._next(self.searches[0].watch.mean)
        self._mask = by_layer(self.searches[0].masks[-1], self.counts)

    def _next(self, mean: float) -> float:
        if self._variant == "gradclip":
            return self._clip
        if self._variant == "greedy":
            return min(1.0, mean)
        return self._least if mean < self._gate else self.damping

    def after_backward(self, step: int) -> bool:
        for scale, kept in self._mask.items():
            for name in (scale, shift_of(scale)):
                gradient = self.view.gradient(name)
                if gradient is not None:
                    own = kept.to(gradient.device, gradient.dtype)
                    gradient.mul_(own + self.damping * (1 - own))
        return True

    def row(self) -> dict[str, float]:
        return super().row() | {"damping": self.damping}

    def state(self) -> Tensors:
        return super().state() | {"damping": torch.tensor(self.damping, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        super().restore(state)
        self.damping = float(state["damping"])
        if self.searches[0].masks:
            self._mask = by_layer(self.searches[0].masks[-1], self.counts)
