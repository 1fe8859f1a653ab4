"""Scores and budgets make a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.errors import StageFailed
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Budget, Layer, Rule, budgets
from lotto.pruning.select import keep_highest
from lotto.schedule import Target


def layers_in(model: nn.Module) -> list[Layer]:
    """Counts of a dense network's layers, in registration order."""
    shapes = {name: tuple(model.get_parameter(name).shape) for name in kinds(model)}
    return [
        Layer(name, kind, count := model.get_parameter(name).numel(), count, shapes[name])
        for name, kind in kinds(model).items()
    ]


def layers_of(mask: Mask, kinds: Mapping[str, str]) -> list[Layer]:
    """Counts of a mask's layers, in its order."""
    return [
        Layer(name, kinds[name], tensor.numel(), int(tensor.sum()), tuple(tensor.shape))
        for name, tensor in mask.items()
    ]


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
    return keep_within(scores, mask, budgets(layers_of(mask, kinds), rule, target))


def prune_in_rounds(
    score: Callable[[int, Mask], Mapping[str, Tensor]],
    mask: Mask,
    rounds: Iterable[Sequence[Budget]],
    regrow: bool = False,
) -> Mask:
    """Score and prune, once for each of ``rounds``; the budgets of the last are what remains.

    Args:
        score: the scores in a round, from 0, of the network with that mask.
        mask: what remains before the first round.
        regrow: whether all that ``mask`` leaves competes in every round, instead of what the round before has left.

    Raises:
        StageFailed: the counts came out other than budgeted.
    """
    current = mask
    for number, made in enumerate(rounds):
        current = keep_within(score(number, current), mask if regrow else current, made)
    return current


def keep_within(scores: Mapping[str, Tensor], mask: Mask, made: Sequence[Budget]) -> Mask:
    """What the budgets keep of ``mask``: of each the weights that score highest."""
    pruned: dict[str, Tensor] = {}
    for budget in made:
        sizes = [mask[name].numel() for name in budget.names]
        pooled = torch.cat([scores[name].flatten() for name in budget.names])
        alive = torch.cat([mask[name].flatten() for name in budget.names]).to(pooled.device)
        kept = keep_highest(pooled, alive, budget.keep).to(mask[budget.names[0]].device)
        pruned.update(
            (name, piece.view_as(mask[name])) for name, piece in zip(budget.names, kept.split(sizes), strict=True)
        )
    result = Mask({name: pruned[name] for name in mask})
    asked = sum(budget.keep for budget in made)
    if result.remaining != asked or not result <= mask:
        raise StageFailed(f"Pruning left {result.remaining} weights where {asked} were asked for.")
    return result


def emptied(mask: Mask, before: Mask) -> list[str]:
    """The layers that ``mask`` leaves without any weight, and ``before`` did not: nothing passes through them any more."""
    return [name for name, kept in mask.items() if not bool(kept.any()) and bool(before[name].any())]


def emptied_sentence(names: Sequence[str], by: str) -> str:
    return (
        f"Pruning by {by} leaves no weight in {', '.join(names)}: what needs {'them' if len(names) > 1 else 'it'} "
        "cannot learn any more."
    )
