"""Sparse training: of a sparse linear layer only the kept weights exist, so that work falls with density.

The layers of all replicates are one block-diagonal matrix in compressed rows (CSR). Its values alone are trained: the forward pass is
a sparse product, a value's gradient is computed at its own position and nowhere else, and the optimizer keeps state for nothing that was
pruned. Everything else of the network is computed as in a stack.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lotto.training.network import Tensors
from lotto.training.recorded import Recordings
from lotto.training.stacked import Linear, Stacked

if TYPE_CHECKING:
    from lotto.training.member import Member


class Sparse(Stacked):
    """A stack in which some weights ``[out, in]`` are kept as their values, float ``[n]``: replicate after replicate, row after row.

    Args:
        sparse: names of those weights; every member has a mask for them.
    """

    engine = "sparse"

    def __init__(
        self,
        model: nn.Module,
        members: Sequence[Member],
        sparse: Sequence[str],
        recordings: Recordings | None = None,
    ) -> None:
        self._patterns = {name: Pattern([member.mask[name] for member in members if member.mask]) for name in sparse}
        super().__init__(model, members, recordings)

    @property
    def layout(self) -> str:
        return " ".join([self.engine, *self._patterns])

    def gather(self, name: str, values: Sequence[Tensor]) -> Tensor:
        if name not in self._patterns:
            return super().gather(name, values)
        return torch.cat([value[kept] for value, kept in zip(values, self._patterns[name].masks, strict=True)])

    def of_replicate(self, name: str, tensor: Tensor, replicate: int) -> Tensor:
        if name not in self._patterns:
            return super().of_replicate(name, tensor, replicate)
        pattern = self._patterns[name]
        kept = pattern.masks[replicate]
        return torch.zeros(kept.shape, dtype=tensor.dtype).masked_scatter_(
            kept, tensor.split(pattern.counts)[replicate]
        )

    def chosen(self, name: str, better: Tensor, new: Tensor, old: Tensor) -> Tensor:
        if name not in self._patterns:
            return super().chosen(name, better, new, old)
        return torch.where(better[self._patterns[name].owner], new, old)

    def multipliers(self, members: Sequence[Member], besides: Collection[str] = ()) -> Tensors:
        found = super().multipliers(members, besides)
        return {name: kept for name, kept in found.items() if name not in self._patterns}

    def linear(self, name: str) -> Linear:
        return self._patterns[name].linear if name in self._patterns else super().linear(name)

    def placeholders(self, tensors: Tensors) -> Tensors:
        # Anything but the layer's own product would make all of it NaN, which the engine's trial finds.
        absent = {
            name: tensors[name].new_full((), torch.nan).expand(self.replicates, *pattern.masks[0].shape)
            for name, pattern in self._patterns.items()
        }
        return tensors | absent


class Pattern:
    """Where R replicates' kept weights of one layer lie in their block-diagonal matrix ``[R * out, R * in]``.

    Args:
        masks: bool ``[out, in]`` of every replicate.
    """

    def __init__(self, masks: Sequence[Tensor]) -> None:
        self.masks = list(masks)
        self.replicates, (self.out, self.wide) = len(self.masks), self.masks[0].shape
        replicate, row, column = torch.stack(self.masks).nonzero(as_tuple=True)
        self.counts = [int(mask.sum()) for mask in self.masks]
        self.owner = replicate
        rows, columns = replicate * self.out + row, replicate * self.wide + column
        self.blocks = Positions(rows, columns, (self.replicates * self.out, self.replicates * self.wide))
        # All replicates read the same input in an evaluation: their blocks lie below one another.
        self.below = Positions(rows, column, (self.replicates * self.out, self.wide))
        self._turned_values = torch.empty(0)
        self._turned_order = (columns * (self.replicates * self.out) + rows).argsort()
        self._turned = Positions(
            columns[self._turned_order],
            rows[self._turned_order],
            (self.replicates * self.wide, self.replicates * self.out),
        )

    def turned_matrix(self, values: Tensor) -> Tensor:
        """The transposed matrix with these values, until it is asked for again."""
        if self._turned_values.dtype != values.dtype or len(self._turned_values) != len(values):
            self._turned_values = torch.empty_like(values, requires_grad=False)
        torch.index_select(values, 0, self._turned_order, out=self._turned_values)
        return self._turned.matrix(self._turned_values)

    def linear(self, x: Tensor, values: Tensor, bias: Tensor | None, shared: bool) -> Tensor:
        """From x ``[R, *, in]``, or ``[*, in]`` if it is shared, to ``[R, *, out]``."""
        return _Product.apply(x.to(values.dtype), values, bias, self, shared)


class Positions:
    """A matrix's kept positions, in the order of its rows; int32, which is what the product is computed with."""

    def __init__(self, rows: Tensor, columns: Tensor, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._columns = columns.int()
        self._row_ends = torch.zeros(shape[0] + 1, dtype=torch.int32)
        self._row_ends[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
        self._last: Tensor | None = None
        self._zero: Tensor | None = None

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix with these values, which it shares: a parameter's is made once and follows it through training."""
        if self._last is None or self._last.values().data_ptr() != values.data_ptr():
            self._last = self._made(values.detach())
        return self._last

    def zero(self, like: Tensor) -> Tensor:
        if self._zero is None or self._zero.dtype != like.dtype:
            self._zero = self._made(torch.zeros_like(like, requires_grad=False))
        return self._zero

    def _made(self, values: Tensor) -> Tensor:
        return torch.sparse_csr_tensor(self._row_ends, self._columns, values, self._shape, check_invariants=False)


class _Product(torch.autograd.Function):
    """``Pattern.linear``, for the kept values ``[n]`` and the bias ``[R, out]``.

    One node of the graph with the changes of layout inside: at low density the nodes are most of the work.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, pattern: Pattern, shared: bool) -> Tensor:
        between = x.shape[:-1] if shared else x.shape[1:-1]
        with _without_autocast():
            if shared:
                columns = x.reshape(-1, pattern.wide).mT.contiguous()
                rows = pattern.below.matrix(values) @ columns
            else:
                columns = _rows_of_units(x, pattern.wide)
                rows = pattern.blocks.matrix(values) @ columns
        rows = rows.view(pattern.replicates, pattern.out, -1)
        if bias is not None:
            rows += bias.unsqueeze(2)
        ctx.save_for_backward(columns, values)
        ctx.pattern, ctx.shape = pattern, x.shape
        return rows.mT.reshape(pattern.replicates, *between, pattern.out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None, None]:
        columns, values = ctx.saved_tensors
        pattern, of_x, of_bias = ctx.pattern, None, None
        gradient = _rows_of_units(gradients[0], pattern.out)
        with _without_autocast():
            of_values = torch.sparse.sampled_addmm(pattern.blocks.zero(values), gradient, columns.mT, beta=0.0).values()
            if ctx.needs_input_grad[0]:
                of_columns = pattern.turned_matrix(values) @ gradient
                of_x = of_columns.view(pattern.replicates, pattern.wide, -1).mT.reshape(ctx.shape)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(1).view(pattern.replicates, pattern.out)
        return of_x, of_values, of_bias, None, None


def _rows_of_units(x: Tensor, width: int) -> Tensor:
    """From ``[R, *, width]`` to ``[R * width, B]``, a unit's values in a contiguous row."""
    return x.reshape(len(x), -1, width).mT.reshape(len(x) * width, -1)


def _without_autocast() -> AbstractContextManager[Any]:
    """There is no sparse product in half precision: it is computed in that of the weights."""
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()


# PyTorch says once in a process that sparse rows are in beta.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    Positions(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), (1, 1)).matrix(torch.ones(1))
