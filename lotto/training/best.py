"""Early stopping: the first step of least validation loss, and the network as it was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lotto.training.member import Member
from lotto.training.network import Network, Tensors


class Best:
    """Of every member of a fit the best evaluation so far.

    Attributes:
        tensors: parameters and buffers there, in the network's layout; empty where nothing is validated.
        loss: float64 ``[R]``, infinite before the first evaluation.
        step: int64 ``[R]``.
    """

    def __init__(self, network: Network, members: Sequence[Member], validates: bool, device: torch.device) -> None:
        self.network = network
        self.members = members
        live = network.tensors() if validates else {}
        self.tensors: Tensors = {name: tensor.detach().clone() for name, tensor in live.items()}
        known = [member.best or {"loss": float("inf"), "step": -1} for member in members]
        self.loss = torch.tensor([best["loss"] for best in known], dtype=torch.float64, device=device)
        self.step = torch.tensor([best["step"] for best in known], device=device)

    def take(self, step: int, live: Tensors, loss: Tensor, among: Tensor | None = None) -> None:
        """An evaluation: of equal losses the earlier step stays.

        Args:
            loss: float64 ``[R]``.
            among: bool ``[R]``, the members whose evaluations count; None for all.
        """
        better = loss < self.loss if among is None else (loss < self.loss) & among
        self.loss = torch.where(better, loss, self.loss)
        self.step = torch.where(better, step, self.step)
        for name, tensor in live.items():
            self.tensors[name] = self.network.chosen(name, better, tensor.detach(), self.tensors[name])

    def of_member(self, index: int, test_accuracy: float) -> dict[str, float]:
        """A member's ``loss``, ``step`` and ``test_accuracy``: the one that an earlier fit measured if the step lies there."""
        member, step = self.members[index], int(self.step[index])
        if member.best is not None and step == member.best["step"]:
            test_accuracy = member.best["test_accuracy"]
        return {"loss": float(self.loss[index]), "step": step, "test_accuracy": test_accuracy}

    def state(self) -> Tensors:
        """What a checkpoint keeps of it."""
        return {f"best/{name}": tensor for name, tensor in self.tensors.items()} | {
            "own/best_loss": self.loss,
            "own/best_step": self.step,
        }

    def restore(self, kept: Mapping[str, Tensor], device: torch.device) -> None:
        """Go on from the tensors of a checkpoint, its others included."""
        self.tensors = {
            name.removeprefix("best/"): tensor.to(device) for name, tensor in kept.items() if name.startswith("best/")
        }
        self.loss, self.step = kept["own/best_loss"].to(device), kept["own/best_step"].to(device)
