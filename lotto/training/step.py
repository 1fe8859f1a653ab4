"""One optimizer step of R replicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lotto.training.losses import losses_of
from lotto.training.lr import factor
from lotto.training.network import Network
from lotto.training.optimizer import set_rate, update_of
from lotto.training.ranks import Exchange, Ranks
from lotto.training.regimen import Regimens
from lotto.training.scale_penalty import ScalePenalty


class Step:
    """Forward, backward, mask, update.

    Args:
        optimizer: of the network's parameters, its state already in place.
        working: the dtype of the inputs.
        ranks: the processes that share every batch, if there are several.
        multipliers: what keeps pruned weights at zero, by parameter, in the network's layout and on its device; a regimen may move them.
        regimens: what else happens at every step, if anything does.
        penalty: of the scales of batch normalisation, if there is one.
    """

    def __init__(
        self,
        network: Network,
        multipliers: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
        recipe: Mapping[str, Any],
        working: torch.dtype,
        ranks: Ranks | None = None,
        regimens: Regimens | None = None,
        penalty: ScalePenalty | None = None,
    ) -> None:
        self.network, self.optimizer, self.recipe, self.working = network, optimizer, recipe, working
        live = network.trained()
        self._parameters = list(live.values())
        self._masked = [live[name] for name in multipliers]
        self._multipliers = list(multipliers.values())
        self._regimens, self._penalty = regimens, penalty
        self._step = 0
        self._update = update_of(optimizer)
        self._ranks = ranks
        self._exchange = Exchange(ranks, self._parameters) if ranks else None
        self._rate: float | None = None

    def begin(self, step: int) -> None:
        """The learning rate and the random numbers of the absolute ``step``."""
        self._step = step
        rate = self.recipe["lr"] * self._factor(step)
        if rate != self._rate:
            set_rate(self.optimizer, rate)
            self._rate = rate
        self.network.begin(step)

    def take(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """From x ``[R, B, C, H, W]`` and y ``[R, B]`` one update; losses ``[R]`` and logits ``[R, B, classes]`` before it.

        Where ranks share the batch, x holds this one's rows, and y and all that is returned the whole.
        """
        own = y if self._ranks is None else y[:, self._ranks.begin(y.shape[1])]
        if self._regimens is not None:
            self._regimens.before_forward(self._step)
        logits = at_least_single(self.network(x.to(self.working)))
        losses = losses_of(logits, own, self.recipe["loss"], self.recipe["label_smoothing"])
        for parameter in self._parameters:
            parameter.grad = None
        # Of the sum over replicates of their mean losses, without the two nodes that compute it.
        losses.backward(torch.full_like(losses, 1 / y.shape[1]))
        losses, logits = losses.detach(), logits.detach()
        if self._exchange is not None:
            losses, logits = self._exchange(losses, logits)
        if self._penalty is not None:
            self._penalty.add()
        if self._regimens is None or self._regimens.after_backward(self._step):
            self._mask_gradients()
            self._update()
            if self._regimens is not None:
                self._regimens.after_update(self._step)
        # Autocast keeps low-precision copies of the weights until its outermost region ends, which is the whole chunk here.
        torch.clear_autocast_cache()
        return losses.mean(1), logits

    def _mask_gradients(self) -> None:
        # With masked gradients and optimizer state that starts masked, pruned weights stay at exactly zero. A layer that the forward
        # pass leaves out has no gradient.
        reached = [
            (p.grad, kept) for p, kept in zip(self._masked, self._multipliers, strict=True) if p.grad is not None
        ]
        if reached:
            torch._foreach_mul_([gradient for gradient, _ in reached], [kept for _, kept in reached])

    def _factor(self, step: int) -> float:
        hold = self.recipe["hold"]
        return factor(step, self.recipe["lr_schedule"], self.recipe["warmup"]) if hold is None else float(hold)


def at_least_single(logits: Tensor) -> Tensor:
    """Losses are computed in the precision of the weights, not in autocast's."""
    return logits if logits.dtype == torch.float64 else logits.float()
