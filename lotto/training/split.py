"""One replicate whose batches are split over several processes: a layer that looks at a whole batch, or draws for one, still does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lotto.training.network import Alone
from lotto.training.ranks import Ranks

if TYPE_CHECKING:
    from lotto.training.member import Member

# Draw a number for every element, or every channel, of a batch.
_DRAWING = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


class Split(Alone):
    """The plain module on this process's rows of every batch."""

    def __init__(self, model: nn.Module, members: Sequence[Member], ranks: Ranks) -> None:
        super().__init__(model, members)
        self._across = _Across(ranks)

    def forward(self, x: Tensor) -> Tensor:
        with self._across:
            return super().forward(x)


class _Across(TorchFunctionMode):
    """While a network computes own rows: batch statistics are those of the whole batch, and random numbers are drawn for all of it."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is F.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        if function in _DRAWING:
            return self._drawn(function, *args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """``F.batch_norm`` with the statistics of all rows; in autocast computed in single precision, as PyTorch does."""
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        count = x.numel() // x.shape[1] * self._ranks.length // self._own
        if count == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
        dims = [dim for dim in range(x.dim()) if dim != 1]

        def along(channels: Tensor) -> Tensor:
            return channels.view(len(channels), *[1] * (x.dim() - 2))

        exact = x if x.dtype == torch.float64 else x.float()
        mean = _Total.apply(exact.sum(dims), self._ranks) / count
        centred = exact - along(mean)
        variance = _Total.apply(centred.square().sum(dims), self._ranks) / count
        with torch.no_grad():
            if running_mean is not None:
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            if running_var is not None:
                running_var.lerp_((variance * (count / (count - 1))).to(running_var.dtype), momentum)
        normal = centred * along((variance + eps).rsqrt())
        scaled = normal if weight is None else normal * along(weight)
        return (scaled if bias is None else scaled + along(bias)).to(x.dtype)

    def _drawn(self, function: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """``function`` of a whole batch that holds ``x`` at its place, so that the stream gives what it gives in one process."""
        rows, length, own = self._ranks.rows, self._ranks.length, self._own
        if x.dim() == 0 or len(x) % own:
            return function(x, *args, **kwargs)
        each = len(x) // own  # rows of x that belong to one example
        # In the layout of x, which decides the order in which a CPU draws.
        strides = x.stride()
        order = sorted(range(x.dim()), key=lambda dim: -strides[dim])
        whole = torch.empty_permuted((length * each, *x.shape[1:]), order, dtype=x.dtype, device=x.device).zero_()
        place = slice(rows.start * each, rows.stop * each)
        whole[place] = x
        return function(whole, *args, **kwargs)[place]

    @property
    def _own(self) -> int:
        rows = self._ranks.rows
        return int(rows.stop - rows.start)


class _Total(torch.autograd.Function):
    """The sum over all processes. Each of their losses depends on it, so that its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return _totalled(own, ranks)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _totalled(gradient, ctx.ranks), None


def _totalled(own: Tensor, ranks: Ranks) -> Tensor:
    total = own.clone(memory_format=torch.contiguous_format)
    ranks.total_(total)
    return total
