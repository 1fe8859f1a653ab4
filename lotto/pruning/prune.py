"""Scores and budgets make a mask."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lotto.errors import StageFailed
from lotto.mask import Mask
from lotto.pruning.allocate import Layer, Rule, budgets
from lotto.pruning.select import keep_highest
from lotto.schedule import Target


def layers_of(mask: Mask, kinds: Mapping[str, str]) -> list[Layer]:
    """Counts of a mask's layers, in its order."""
    return [Layer(name, kinds[name], tensor.numel(), int(tensor.sum())) for name, tensor in mask.items()]


def prune_mask(scores: Mapping[str, Tensor], mask: Mask, kinds: Mapping[str, str], rule: Rule, target: Target) -> Mask:
    """Prune the weights of lowest score among those that ``mask`` leaves.

    Args:
        scores: float tensors shaped like the mask's; higher is kept.
        mask: what remains before.
        kinds: the kind of every layer, for rates and exclusions.
        rule: the allocation.
        target: the schedule's demand.

    Returns:
        A mask with exactly as many weights as the budgets say, every one of them in ``mask``.

    Raises:
        BadRequest: the target cannot be met.
        StageFailed: the counts came out other than budgeted.
    """
    made = budgets(layers_of(mask, kinds), rule, target)
    pruned: dict[str, Tensor] = {}
    for budget in made:
        sizes = [mask[name].numel() for name in budget.names]
        pooled = torch.cat([scores[name].flatten() for name in budget.names])
        alive = torch.cat([mask[name].flatten() for name in budget.names])
        kept = keep_highest(pooled, alive, budget.keep)
        pruned.update(
            (name, piece.view_as(mask[name])) for name, piece in zip(budget.names, kept.split(sizes), strict=True)
        )
    result = Mask({name: pruned[name] for name in mask})
    asked = sum(budget.keep for budget in made)
    if result.remaining != asked or not result <= mask:
        raise StageFailed(f"Pruning left {result.remaining} weights where {asked} were asked for.")
    return result
