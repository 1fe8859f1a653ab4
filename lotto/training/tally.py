"""Training loss and accuracy since the last evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Logits that may wait to be counted: four megabytes of them.
WAITING_NUMBERS = 1_000_000
ROUNDING = 2.0**32


class Tally:
    """Sums over steps, on the device and without waiting for it, for R replicates.

    Which answers were right is counted for many steps at once: for a small network it costs a twentieth of a step. Accuracies are rounded
    to multiples of 2**-32, so that their sum is exact and does not depend on when it was counted: a checkpoint counts.

    Attributes:
        loss: sum of the batches' mean losses, float32 ``[R]``.
        correct: sum of the batches' accuracies, float64 ``[R]``; up to date after ``count``.
        steps: how many batches.
    """

    def __init__(self, replicates: int, device: torch.device) -> None:
        self._replicates, self._device = replicates, device
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self.forget()

    def forget(self) -> None:
        self.loss = torch.zeros(self._replicates, device=self._device)
        self.correct = torch.zeros(self._replicates, dtype=torch.float64, device=self._device)
        self.steps = 0
        self._waiting.clear()

    def take_up(self, pending: Sequence[tuple[float, float, int]]) -> None:
        """Go on with the sums of an earlier fit, one triple for each replicate."""
        self.forget()
        self.loss += torch.tensor([loss for loss, _, _ in pending], device=self._device)
        self.correct += torch.tensor([correct for _, correct, _ in pending], dtype=torch.float64, device=self._device)
        self.steps = pending[0][2]

    def pending(self, replicate: int) -> tuple[float, float, int]:
        self.count()
        return float(self.loss[replicate]), float(self.correct[replicate]), self.steps

    def add(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """One step: mean loss ``[R]``, logits ``[R, B, classes]`` and labels ``[R, B]``."""
        self.loss += loss
        self.steps += 1
        if self._waiting and (
            self._waiting[0][0].shape != logits.shape or len(self._waiting) * logits.numel() > WAITING_NUMBERS
        ):
            self.count()
        self._waiting.append((logits, y))

    def count(self) -> None:
        """Bring ``correct`` up to date."""
        if self._waiting:
            logits, labels = (torch.stack(tensors) for tensors in zip(*self._waiting, strict=True))
            self._waiting.clear()
            accuracies = (logits.argmax(3) == labels).double().mean(2)
            self.correct += (accuracies * ROUNDING).round_().sum(0) / ROUNDING
