"""A way out of vmap: a function that computes for all replicates at once, in the middle of one that is written for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def physically(compute: Callable[[Tensor, bool], Tensor], x: Tensor, of_replicates: Tensor) -> Tensor:
    """Under vmap: ``compute`` on the tensor of all replicates at once, and whether that one is shared by them.

    Args:
        of_replicates: any tensor that has a part for each replicate.
    """
    return _Physically.apply(compute, x, of_replicates)


class _Physically(torch.autograd.Function):
    """A function whose every use is under vmap, where ``vmap`` below stands in for it; autograd sees what that computes."""

    generate_vmap_rule = False

    @staticmethod
    def forward(compute: Any, x: Tensor, of_replicates: Tensor) -> Tensor:
        raise NotImplementedError("It computes for all replicates of a stack only.")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: there is no backward pass of its own."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, compute: Any, x: Tensor, of_replicates: Tensor) -> tuple[Tensor, int]:
        shared = in_dims[1] is None
        return compute(x if shared else x.movedim(in_dims[1], 0), shared), 0
