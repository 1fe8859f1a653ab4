"""R replicates side by side: one forward and one backward pass for all of them (``torch.func.vmap``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from lotto.training.network import Network, Tensors, state_of
from lotto.training.noise import Noise
from lotto.training.physical import physically

if TYPE_CHECKING:
    from lotto.training.member import Member


class Stacked(Network):
    """Parameters and buffers ``[R, ...]`` under one module, whose own tensors are placeholders."""

    engine = "stacked"

    def __init__(self, model: nn.Module, members: Sequence[Member]) -> None:
        super().__init__()
        self.replicates = len(members)
        # Kept out of the module tree: its own tensors must not be trained or counted.
        self._template = (model,)
        self._noise = Noise([member.streams for member in members])
        names = list(state_of(model))
        trained = dict(model.named_parameters())
        self._parameter_names = [name for name in names if name in trained]
        self._buffer_names = [name for name in names if name not in trained]
        gathered = {name: self.gather(name, [member.state[name] for member in members]) for name in names}
        self.stack = nn.ParameterList([nn.Parameter(gathered[name].clone()) for name in self._parameter_names])
        for index, name in enumerate(self._buffer_names):
            self.register_buffer(f"buffer_{index}", gathered[name].clone())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Stacked:
        # Constants that the module keeps out of its state go where the stack goes.
        self._template[0]._apply(fn)
        return super()._apply(fn, recurse)

    def begin(self, step: int) -> None:
        self._noise.begin(step)

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

    def gather(self, name: str, values: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(values))

    def of_replicate(self, name: str, tensor: Tensor, replicate: int) -> Tensor:
        return tensor[replicate]

    def chosen(self, name: str, better: Tensor, new: Tensor, old: Tensor) -> Tensor:
        return torch.where(better.view(-1, *[1] * (new.dim() - 1)), new, old)

    def products(self, tensors: Tensors) -> Mapping[str, Callable[[Tensor, bool], Tensor]]:
        """For weights whose product is not the plain one: from x ``[R, *, in]``, or ``[*, in]`` if it is shared, to ``[R, *, out]``."""
        return {}

    def placeholders(self, tensors: Tensors) -> Tensors:
        """What the module is given in the place of its own tensors, all ``[R, ...]``."""
        return tensors

    def _call(self, tensors: Tensors, x: Tensor, batch_dim: int | None) -> Tensor:
        model, products = self._template[0], self.products(tensors)

        def one(own: Tensors, batch: Tensor) -> Tensor:
            own_products = {id(own[name]): product for name, product in products.items()}
            with _Functions(own_products, self._noise):
                return functional_call(model, own, (batch,))

        return vmap(one, (0, batch_dim))(self.placeholders(tensors), x)


class _Functions(TorchFunctionMode):
    """What a stack computes in its own way, the results being those of the plain function to rounding.

    ``linear`` is computed as (W x^T)^T: under vmap the gradient of W then comes in W's own layout, which saves a copy of every weight
    at every step, a fifth of a stacked LeNet's time. Dropout draws for each replicate from that replicate's own stream.
    """

    def __init__(self, products: Mapping[int, Callable[[Tensor, bool], Tensor]], noise: Noise) -> None:
        super().__init__()
        self._products = products
        self._noise = noise

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is F.linear and not kwargs:
            return self._linear(*args)
        if function in Noise.FUNCTIONS:
            return self._noise.dropout(function, *args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if id(weight) in self._products:
            product = physically(self._products[id(weight)], x, weight)
        else:
            product = (weight @ x.mT).mT if x.dim() > 1 else weight @ x
        return product if bias is None else product + bias
