"""What operations between layers make of channels: sums, products, concatenations, averages, changes of shape."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from lotto.slimming import operations as ops
from lotto.slimming.units import Units
from lotto.slimming.values import Value, through

Known = Value | None


def joined(node: fx.Node, values: Sequence[Known], units: Units, result: Tensor) -> Known:
    """Sums, products and quotients, channel by channel or with a number: ``values`` are those of the tensors among the operands."""
    is_sum, is_quotient = ops.is_addition(node), ops.is_any(node, ops.QUOTIENTS, ops.QUOTIENT_METHODS)
    known = [value for value in values if value is not None and len(value.shape) == result.dim()]
    if node.kwargs or len(node.args) != 2 or len(known) != len(values):
        return None
    if len(known) == 1:
        (value,) = known
        is_divisor = is_quotient and not isinstance(node.args[0], fx.Node)
        return through(value, result, zero=not is_sum and not is_divisor)
    one, other = known
    if is_quotient or one.dim != other.dim or len(one.ids) != len(other.ids):
        return None
    units.join(one.ids, other.ids)
    return Value(result.shape, one.dim, one.ids, one.zero & other.zero if is_sum else one.zero | other.zero)


def concatenated(node: fx.Node, values: Sequence[Known], result: Tensor) -> Known:
    """Side by side along the channels."""
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    known = [value for value in values if value is not None]
    if not isinstance(dim, int) or len(known) != len(values):
        return None
    if any(value.dim != dim % result.dim() for value in known):
        return None
    ids, zero = torch.cat([value.ids for value in known]), torch.cat([value.zero for value in known])
    return Value(result.shape, known[0].dim, ids, zero)


def averaged(node: fx.Node, value: Value, result: Tensor) -> Known:
    """Over dimensions behind the channels."""
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    listed = [dims] if isinstance(dims, int) else dims
    if not isinstance(listed, list | tuple):
        return None
    behind = all(isinstance(dim, int) and dim % len(value.shape) > value.dim for dim in listed)
    return through(value, result) if behind else None


def reshaped(node: fx.Node, value: Value, result: Tensor) -> Known:
    """Images flattened to rows, every channel to a run of features; or dimensions of size one behind the channels."""
    batch, channels = value.shape[:2]
    sizes = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], list | tuple) else node.args[1:]
    flattens = "flatten" in str(getattr(node.target, "__name__", node.target)) or node.op == "call_module"
    # A width that is written down would be wrong for the smaller network.
    fits = flattens or all(not isinstance(size, int) or size in (-1, 1) for size in sizes[1:])
    if value.dim != 1 or not fits or result.shape[0] != batch:
        return None
    if result.dim() == 2:
        each = result.shape[1] // channels
        return Value(result.shape, 1, value.ids.repeat_interleave(each), value.zero.repeat_interleave(each))
    return through(value, result) if result.dim() > 2 and result.shape[1] == channels else None
