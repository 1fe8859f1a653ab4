"""One network, or R replicates of it stacked: the same interface, so that training is written once.

Tensors are named as in the plain module. A network trained alone holds them in their own shape, a stack with a leading dimension R.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from lotto.mask import Mask

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
    """R replicates under training."""

    replicates: int
    engine: str

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
    def gather(self, values: Sequence[Tensor]) -> Tensor:
        """One tensor for each replicate, brought into this network's layout."""

    @abstractmethod
    def of_replicate(self, tensor: Tensor, replicate: int) -> Tensor:
        """A replicate's part of a tensor in this network's layout."""

    def trained(self) -> dict[str, nn.Parameter]:
        """The live parameters alone."""
        return {name: tensor for name, tensor in self.tensors().items() if isinstance(tensor, nn.Parameter)}

    def mask_tensors(self, masks: Sequence[Mask | None]) -> Tensors:
        """Multipliers for the masked parameters, in this network's layout; empty if no replicate has a mask."""
        names = next((list(mask) for mask in masks if mask is not None), [])
        parameters = self.trained()
        whole = {name: torch.ones_like(self.of_replicate(parameters[name].detach(), 0)) for name in names}
        return {
            name: self.gather([whole[name] if mask is None else mask[name].to(whole[name]) for mask in masks])
            for name in names
        }


class Alone(Network):
    """The module as it is: whatever it is made of, it trains."""

    engine = "alone"
    replicates = 1

    def __init__(self, model: nn.Module, states: Sequence[Mapping[str, Tensor]]) -> None:
        super().__init__()
        load_state(model, states[0])
        # Convolutions are faster with channels last; the numbers and their order in an artifact are the same.
        self._images_last = any(isinstance(module, nn.Conv2d) for module in model.modules())
        self.model = model.to(memory_format=torch.channels_last) if self._images_last else model

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

    def gather(self, values: Sequence[Tensor]) -> Tensor:
        return values[0]

    def of_replicate(self, tensor: Tensor, replicate: int) -> Tensor:
        return tensor


class Stacked(Network):
    """R replicates side by side: parameters ``[R, ...]``, one forward and one backward for all of them (``torch.func.vmap``)."""

    engine = "stacked"

    def __init__(self, model: nn.Module, states: Sequence[Mapping[str, Tensor]]) -> None:
        super().__init__()
        self.replicates = len(states)
        # Kept out of the module tree: its own tensors are placeholders that must not be trained, moved or counted.
        self._template = (model,)
        names = list(state_of(model))
        trained = dict(model.named_parameters())
        self._parameter_names = [name for name in names if name in trained]
        self._buffer_names = [name for name in names if name not in trained]
        stacked = {name: torch.stack([state[name] for state in states]) for name in names}
        self.stack = nn.ParameterList([nn.Parameter(stacked[name].clone()) for name in self._parameter_names])
        for index, name in enumerate(self._buffer_names):
            self.register_buffer(f"buffer_{index}", stacked[name].clone())

    def forward(self, x: Tensor) -> Tensor:
        return self._call(self.tensors(), x, 0)

    def evaluate(self, tensors: Tensors, x: Tensor) -> Tensor:
        self._template[0].eval()
        logits = self._call(tensors, x, None)
        self._template[0].train()
        return logits

    def tensors(self) -> Tensors:
        parameters = dict(zip(self._parameter_names, self.stack, strict=True))
        buffers = {name: self.get_buffer(f"buffer_{index}") for index, name in enumerate(self._buffer_names)}
        return parameters | buffers

    def gather(self, values: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(values))

    def of_replicate(self, tensor: Tensor, replicate: int) -> Tensor:
        return tensor[replicate]

    def _call(self, tensors: Tensors, x: Tensor, batch_dim: int | None) -> Tensor:
        model = self._template[0]
        with _LinearFromTheLeft():
            return vmap(lambda own, batch: functional_call(model, own, (batch,)), (0, batch_dim))(tensors, x)


class _LinearFromTheLeft(TorchFunctionMode):
    """Computes ``linear`` as (W x^T)^T. Under vmap the gradient of W then comes in W's own layout, which saves a copy of every
    weight at every step: a fifth of a stacked LeNet's time. Results agree with the plain product to rounding.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is not F.linear or kwargs:
            return function(*args, **(kwargs or {}))
        x, weight, *bias = args
        product = (weight @ x.mT).mT if x.dim() > 1 else weight @ x
        return product + bias[0] if bias and bias[0] is not None else product
