"""All that is drawn for one epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lotto.data.augment import Augmentation
from lotto.seeds import Streams


@dataclass(frozen=True)
class Epoch:
    """The order and the augmentation of one epoch of R replicates over n examples.

    ``order`` is int64 ``[R, n]``; ``draws`` holds, for each augmentation, tensors ``[R, n]`` by position in the epoch.
    """

    order: Tensor
    draws: list[dict[str, Tensor]]

    @classmethod
    def drawn(
        cls, streams: Sequence[Streams], epoch: int, n: int, augment: Sequence[Augmentation], device: torch.device
    ) -> Epoch:
        """Draws on the CPU, replicate by replicate from its own streams, and moves the whole to ``device``."""
        order = torch.stack([stream.permutation(n, epoch) for stream in streams])
        drawn = [_augmentation_draws(stream.generator("augment", epoch), n, augment) for stream in streams]
        stacked = [
            {name: torch.stack([d[name] for d in draws]).to(device) for name in draws[0]}
            for draws in zip(*drawn, strict=True)
        ]
        return cls(order.to(device), stacked)

    def rows(self, first: int, last: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Positions ``first`` to ``last``, replicate after replicate: indices and draws, ``[R * B]`` each."""
        draws = [{name: draw[:, first:last].flatten() for name, draw in drawn.items()} for drawn in self.draws]
        return self.order[:, first:last].flatten(), draws


def _augmentation_draws(generator: torch.Generator, n: int, augment: Sequence[Augmentation]) -> list[dict[str, Tensor]]:
    return [augmentation.draws(n, generator) for augmentation in augment]
