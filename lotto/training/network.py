"""One network, or R replicates of it together: the same interface, so that training is written once.

Tensors are named as in the plain module. Each kind of network has a layout of its own: trained alone a tensor has its own shape, in a
stack a leading dimension R, and of a sparse weight only the kept values are there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lotto.zeroed import pinned

if TYPE_CHECKING:
    from lotto.training.member import Member

Tensors = dict[str, Tensor]


def state_of(model: nn.Module) -> Tensors:
    """Parameters and persistent buffers by name, shared ones once."""
    persistent = model.state_dict().keys()
    named = dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: tensor for name, tensor in named.items() if name in persistent}


@torch.no_grad()
def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy ``state`` into ``model``, bit for bit; every name must be there in the same shape."""
    for name, tensor in state_of(model).items():
        tensor.copy_(state[name])


class Network(nn.Module):
    """R replicates under training.

    Attributes:
        engine: ``alone``, ``stacked``, ``sparse`` or ``slim``, as ``stage.json`` records it.
        layout: tells layouts apart whose checkpoints cannot be exchanged.
    """

    replicates: int
    engine: str

    @property
    def layout(self) -> str:
        return self.engine

    @property
    def capturable(self) -> bool:
        """Whether a step is the same operations every time, so that a CUDA graph may hold them."""
        return True

    @abstractmethod
    def begin(self, step: int) -> None:
        """Dropout and the like draw from the replicate's stream of this absolute step, wherever a fit began or was resumed."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[R, B, classes]`` of every replicate's own batch ``[R, B, C, H, W]``."""

    @abstractmethod
    def evaluate(self, tensors: Tensors, x: Tensor) -> Tensor:
        """Logits ``[R, B, classes]`` of one batch ``[B, C, H, W]`` under ``tensors``, in evaluation mode."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """The live parameters and buffers, in this network's layout."""

    @abstractmethod
    def gather(self, name: str, values: Sequence[Tensor]) -> Tensor:
        """One tensor for each replicate, in the shape of ``name`` in the plain module, brought into this network's layout."""

    @abstractmethod
    def of_replicate(self, name: str, tensor: Tensor, replicate: int) -> Tensor:
        """A replicate's part of a tensor in this network's layout, in the shape of ``name`` in the plain module."""

    @abstractmethod
    def chosen(self, name: str, better: Tensor, new: Tensor, old: Tensor) -> Tensor:
        """``new`` for the replicates where ``better``, bool ``[R]``, and ``old`` for the others, in this network's layout."""

    def trained(self) -> dict[str, nn.Parameter]:
        """The live parameters alone."""
        return {name: tensor for name, tensor in self.tensors().items() if isinstance(tensor, nn.Parameter)}

    def multipliers(self, members: Sequence[Member], besides: Collection[str] = ()) -> Tensors:
        """What keeps pruned weights at zero, by parameter, in this network's layout and on its device; none where nothing is pruned.

        Args:
            besides: weights to have one of even if nothing of them is pruned yet.
        """
        held = [pinned(member.mask, member.zeroed) for member in members]
        pruned = {name for one in held for name, zero in one.items() if bool(zero.any())}
        parameters = self.trained()
        return {
            name: self.gather(
                name,
                [
                    _multiplier(member, one.get(name), name, parameter)
                    for member, one in zip(members, held, strict=True)
                ],
            ).to(parameter.device)
            for name, parameter in parameters.items()
            if name in pruned or name in besides
        }


def _multiplier(member: Member, held: Tensor | None, name: str, like: Tensor) -> Tensor:
    if held is None:
        return torch.ones_like(member.state[name], dtype=like.dtype)
    return (~held).to(like.dtype)


class Alone(Network):
    """The module as it is: whatever it is made of, it trains."""

    engine = "alone"
    replicates = 1

    def __init__(self, model: nn.Module, members: Sequence[Member]) -> None:
        super().__init__()
        (member,) = members
        self._streams = member.streams
        load_state(model, member.state)
        # Convolutions are faster with channels last; the numbers and their order in an artifact are the same.
        self._images_last = any(isinstance(module, nn.Conv2d) for module in model.modules())
        self.model = model.to(memory_format=torch.channels_last) if self._images_last else model

    def begin(self, step: int) -> None:
        number = self._streams.number("layers", step)
        torch.default_generator.manual_seed(number)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed(number)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self._laid_out(x[0])).unsqueeze(0)

    def evaluate(self, tensors: Tensors, x: Tensor) -> Tensor:
        self.model.eval()
        logits = functional_call(self.model, tensors, (self._laid_out(x),)).unsqueeze(0)
        self.model.train()
        return logits

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last) if self._images_last else x

    def tensors(self) -> Tensors:
        return state_of(self.model)

    def gather(self, name: str, values: Sequence[Tensor]) -> Tensor:
        return values[0]

    def of_replicate(self, name: str, tensor: Tensor, replicate: int) -> Tensor:
        return tensor

    def chosen(self, name: str, better: Tensor, new: Tensor, old: Tensor) -> Tensor:
        return torch.where(better[0], new, old)
