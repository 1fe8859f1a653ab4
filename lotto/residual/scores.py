"""Scores of whole residual blocks, as scores of weights: every weight of a block's branch has the block's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.models.anatomy import kinds
from lotto.pruning.criterion import Batch
from lotto.residual.blocks import Block, all_blocks, without


def of_weights(model: nn.Module, scores: Mapping[str, float]) -> dict[str, Tensor]:
    """Float64 tensors shaped like the prunable weights; those in no scored block have the score 0.

    Args:
        scores: of blocks, by the path of their module.
    """
    made = {name: torch.zeros(model.get_parameter(name).shape, dtype=torch.float64) for name in kinds(model)}
    for block in scored_blocks(model):
        for name in block.weights:
            made[name] = torch.full_like(made[name], scores[block.path])
    return made


def scored_blocks(model: nn.Module) -> list[Block]:
    """The blocks that can go at all."""
    return [block for block in all_blocks(model) if block.is_identity]


@torch.no_grad()
def block_outputs(model: nn.Module, batches: Sequence[Batch]) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """For every batch what each of the blocks puts out, ``[B, C, H, W]`` by path, and the labels; in evaluation mode."""
    model.eval()
    kept: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, given: object, found: Tensor) -> None:
            kept[path] = found

        return hook

    handles = [
        model.get_submodule(block.path).register_forward_hook(keep(block.path)) for block in scored_blocks(model)
    ]
    try:
        for x, y in batches:
            model(x)
            yield dict(kept), y
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def changed_outputs(model: nn.Module, batches: Sequence[Batch]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """For every block its path, and the logits of all images with it and without it, float64 ``[n, classes]``; in evaluation mode."""
    model.eval()

    def logits() -> Tensor:
        return torch.cat([model(x).double() for x, _ in batches])

    whole = logits()
    for block in scored_blocks(model):
        with without(model, block):
            yield block.path, whole, logits()
