"""How good the networks of a fit are on a split of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from lotto.data.interface import Data
from lotto.training.losses import losses_of
from lotto.training.network import Network, Tensors
from lotto.training.ranks import Ranks
from lotto.training.step import at_least_single

# Numbers in an evaluation batch: a thousand CIFAR images, twenty of ImageNet's.
NUMBERS = 1000 * 3 * 32 * 32


class Evaluation:
    """Reads all networks of a stack together, under the precision of their training.

    Args:
        precision: opens the context that forward passes run in.
        working: the type that inputs are given in.
        loss: the name of the loss.
        ranks: the processes that share every split, each of which comes to the numbers of all.
    """

    def __init__(
        self,
        network: Network,
        data: Data,
        precision: Callable[[], AbstractContextManager[None]],
        working: torch.dtype,
        loss: str,
        ranks: Ranks | None,
    ) -> None:
        self.network = network
        self.data = data
        self.precision = precision
        self.working = working
        self.loss = loss
        self.ranks = ranks

    @torch.no_grad()
    def of(self, tensors: Tensors, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean loss, without smoothing, and accuracy ``[R]``, float64.

        Args:
            tensors: parameters and buffers in the network's layout.
        """
        replicates = self.network.replicates
        loss = torch.zeros(replicates, dtype=torch.float64, device=device)
        correct = torch.zeros(replicates, dtype=torch.float64, device=device)
        batch = max(1, min(1000, NUMBERS // math.prod(self.data.input_shape)))
        share = self.ranks.share if self.ranks else None
        with self.precision():
            for x, y in self.data.evaluation_batches(split, batch, share):
                logits = at_least_single(self.network.evaluate(tensors, x.to(self.working)))
                labels = y.expand(replicates, -1)
                losses = losses_of(logits, labels, self.loss)
                loss += losses.double().sum(1)
                correct += (logits.argmax(2) == labels).double().sum(1)
        # Copies that autocast made without gradients must not serve the next step.
        torch.clear_autocast_cache()
        if self.ranks is not None:
            loss, correct = self.ranks.add_up([loss, correct])
        return loss / self.data.sizes[split], correct / self.data.sizes[split]
