"""From scores of weights to a network with so many blocks less."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.select import keep_highest
from lotto.residual.blocks import removable
from lotto.schedule import Blocks, Schedule, Target
from lotto.structures.families import Family, Part


def block_family(model: nn.Module, protect: str) -> Family | None:
    """The removable blocks as groups of weights that go at once, in the order of the network; None if there are none."""
    blocks = removable(model, protect)
    if not blocks:
        return None
    parts = [
        Part(name, torch.full((1, 1), place, dtype=torch.int64))
        for place, block in enumerate(blocks)
        for name in block.weights
    ]
    first = blocks[0].weights[0]
    return Family(first, kinds(model)[first], len(blocks), tuple(parts))


def remove_blocks(family: Family, pooled: Tensor, mask: Mask, count: int) -> Mask:
    """``mask`` without the ``count`` blocks of lowest score among those that are still there; of equal ones the last goes first.

    Args:
        pooled: a score for every block, float64 ``[blocks]``.

    Raises:
        BadRequest: there are fewer blocks.
    """
    alive = family.alive(mask)
    check_count(count, int(alive.sum()))
    kept = keep_highest(pooled, alive, int(alive.sum()) - count)
    gone = alive & ~kept
    if bool(kept.any()) and bool(gone.any()) and float(pooled[kept].min()) == float(pooled[gone].max()):
        warnings.warn(
            f"Blocks that stay and blocks that go have the same score, {float(pooled[gone].max()):g}: their order decided.",
            stacklevel=2,
        )
    left = dict(mask)
    family.prune(left, kept)
    return Mask(left)


def drawn_blocks(family: Family, mask: Mask, generator: torch.Generator) -> Mask:
    """As many blocks as ``mask`` has, any of them with the same probability."""
    everything = Mask.ones(mask)
    scores = torch.rand(family.size, generator=generator, dtype=torch.float64)
    return remove_blocks(family, scores, everything, family.size - int(family.alive(mask).sum()))


def even_blocks(family: Family, mask: Mask) -> Mask:
    """As many blocks as ``mask`` has, removed evenly: the last of every stage in turn, later stages first.

    A stage is the blocks of equal size that follow each other: what is left is the network of the same family with fewer blocks a stage.
    """
    everything = Mask.ones(mask)
    sizes = family.weights(everything).tolist()
    stages: list[list[int]] = []
    for place, size in enumerate(sizes):
        if place == 0 or size != sizes[place - 1]:
            stages.append([])
        stages[-1].append(place)
    order: list[int] = []
    while any(stages):
        order += [stage.pop() for stage in reversed(stages) if stage]
    scores = torch.zeros(family.size, dtype=torch.float64)
    scores[order] = torch.arange(family.size, dtype=torch.float64)
    return remove_blocks(family, scores, everything, family.size - int(family.alive(mask).sum()))


def pruned_blocks(family: Family, scores: Mapping[str, Tensor], mask: Mask, target: Target, pool: str) -> Mask:
    """The mask of the next level.

    Raises:
        BadRequest: the schedule does not count blocks, or there are too few.
    """
    return remove_blocks(family, family.pooled(scores, mask, pool), mask, _count(target))


def check_blocks(family: Family, schedule: Schedule) -> None:
    """Raises BadRequest if a level asks for more blocks than there are."""
    for level in range(1, schedule.levels):
        gone = _count(schedule.target(level, 0))
        try:
            check_count(gone, family.size)
        except BadRequest as reason:
            raise BadRequest(f"schedule.levels={schedule.levels}: level {level} cannot be reached. {reason}") from None


def check_count(count: int, there: int) -> None:
    """Raises BadRequest if ``count`` blocks cannot go."""
    if count > there:
        raise BadRequest(
            f"schedule.removed={count} asks for more blocks than can go: {there} have an identity beside them and are not protected."
        )


def _count(target: Target) -> int:
    if not isinstance(target, Blocks):
        raise BadRequest(
            "prune.structure=residual counts blocks: choose schedule=blocks, such as schedule.removed=[1,2,3]."
        )
    return target.count
