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
from lotto.training.recorded import Recordings, linear

if TYPE_CHECKING:
    from lotto.training.member import Member

# From x ``[R, *, in]``, or ``[*, in]`` if it is shared by all replicates, the weight in the network's layout and the bias ``[R, out]``
# to ``[R, *, out]``.
Linear = Callable[[Tensor, Tensor, Tensor | None, bool], Tensor]


class Stacked(Network):
    """Parameters and buffers ``[R, ...]`` under one module, whose own tensors are placeholders.

    Args:
        recordings: forward passes recorded by earlier stacks of this network; None if it must not be recorded.
    """

    engine = "stacked"

    def __init__(self, model: nn.Module, members: Sequence[Member], recordings: Recordings | None = None) -> None:
        super().__init__()
        self.replicates = len(members)
        # Kept out of the module tree: its own tensors must not be trained or counted.
        self._template = (model,)
        self._noise = Noise([member.streams for member in members])
        self._recordings = recordings
        names = list(state_of(model))
        trained = dict(model.named_parameters())
        self._parameter_names = [name for name in names if name in trained]
        self._buffer_names = [name for name in names if name not in trained]
        gathered = {name: self.gather(name, [member.state[name] for member in members]) for name in names}
        self.stack = nn.ParameterList([nn.Parameter(gathered[name].clone()) for name in self._parameter_names])
        for index, name in enumerate(self._buffer_names):
            self.register_buffer(f"buffer_{index}", gathered[name].clone())
        shapes = {name: tensor.shape for name, tensor in trained.items()}
        self._linears = {name: self.linear(name) for name, shape in shapes.items() if len(shape) == 2}
        self._widths = {name: shapes[name][0] for name in self._linears}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Stacked:
        # Constants that the module keeps out of its state go where the stack goes.
        self._template[0]._apply(fn)
        return super()._apply(fn, recurse)

    @property
    def capturable(self) -> bool:
        return not self._noise.draws

    def begin(self, step: int) -> None:
        self._noise.begin(step)

    def forward(self, x: Tensor) -> Tensor:
        return self._call(self.tensors(), x, shared=False)

    def evaluate(self, tensors: Tensors, x: Tensor) -> Tensor:
        self._template[0].eval()
        logits = self._call(tensors, x, shared=True)
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

    def linear(self, name: str) -> Linear:
        """How a linear layer with the weight ``name`` is computed."""
        return dense

    def placeholders(self, tensors: Tensors) -> Tensors:
        """What the module is given in the place of its own tensors, all ``[R, ...]``."""
        return tensors

    def _call(self, tensors: Tensors, x: Tensor, shared: bool) -> Tensor:
        # Autocast decides at every operation anew, and random numbers are new at every step.
        if self._recordings is None or self._noise.draws or torch.is_autocast_enabled(x.device.type):
            return self._mapped(tensors, x, shared, self._compute)
        # In one order: those of a checkpoint come in another, and a recorded pass tells its arguments apart by their place.
        names, training = [*self._parameter_names, *self._buffer_names], self._template[0].training
        values = [tensors[name] for name in names]
        key = (self.layout, self.replicates, tuple(x.shape), x.dtype, x.device, training, shared)

        def flat(*arguments: Tensor) -> Tensor:
            own = dict(zip(names, arguments, strict=False))
            return self._mapped(own, arguments[-1], shared, self._stand_in)

        recorded = self._recordings.find(key, flat, [*values, x])
        return recorded(self._linears, *values, x)

    def _compute(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None, shared: bool) -> Tensor:
        return self._linears[name](x, weight, bias, shared)

    def _stand_in(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None, shared: bool) -> Tensor:
        between = x.shape[:-1] if shared else x.shape[1:-1]
        return linear(name, x, weight, bias, shared, (self.replicates, *between, self._widths[name]))

    def _mapped(self, tensors: Tensors, x: Tensor, shared: bool, layer: Callable[..., Tensor]) -> Tensor:
        model = self._template[0]

        def one(own: Tensors, batch: Tensor) -> Tensor:
            names = {id(tensor): name for name, tensor in own.items()}
            with _Functions(names, self._linears.keys(), tensors, layer, self._noise):
                return functional_call(model, own, (batch,))

        return vmap(one, (0, None if shared else 0))(self.placeholders(tensors), x)


def dense(x: Tensor, weight: Tensor, bias: Tensor | None, shared: bool) -> Tensor:
    """``linear`` for weights ``[R, out, in]``.

    Computed as (W x^T)^T: the gradient of W then comes in W's own layout, which saves a copy of every weight at every step, a fifth of a
    stacked LeNet's time.
    """
    if x.dim() == 3 and not shared and bias is not None:
        return torch.baddbmm(bias.unsqueeze(2), weight, x.mT).mT
    if shared:
        product = (weight @ x.reshape(-1, x.shape[-1]).mT).mT.reshape(len(weight), *x.shape[:-1], -1)
    else:
        product = (weight @ x.reshape(len(weight), -1, x.shape[-1]).mT).mT.reshape(*x.shape[:-1], -1)
    return product if bias is None else product + bias.view(len(bias), *[1] * (product.dim() - 2), -1)


class _Functions(TorchFunctionMode):
    """Under vmap: linear layers are computed for all replicates at once, dropout draws for each from its own stream.

    Args:
        names: of the tensors that the module was given, by their ``id``.
        linears: names of weights that are computed by ``layer``.
        tensors: all replicates' tensors, in the stack's layout.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        linears: Any,
        tensors: Tensors,
        layer: Callable[..., Tensor],
        noise: Noise,
    ) -> None:
        super().__init__()
        self._names, self._linears, self._tensors, self._layer, self._noise = names, linears, tensors, layer, noise

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is F.linear and not kwargs:
            return self._linear(*args)
        if function in Noise.FUNCTIONS:
            return self._noise.dropout(function, *args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        name, bias_name = self._names.get(id(weight)), self._names.get(id(bias))
        if name is None or name not in self._linears or (bias is not None and bias_name is None):
            return F.linear(x, weight, bias)
        of_weight, of_bias = self._tensors[name], None if bias_name is None else self._tensors[bias_name]

        def whole(physical: Tensor, shared: bool) -> Tensor:
            return self._layer(name, physical, of_weight, of_bias, shared)

        return physically(whole, x, weight)
