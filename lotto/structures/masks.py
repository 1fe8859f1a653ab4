"""Structured masks: what the stages and ``lotto.prune`` ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Rule
from lotto.pruning.prune import layers_in
from lotto.residual.selection import check_blocks, pruned_blocks
from lotto.schedule import Schedule, Target
from lotto.slimming import gone_with
from lotto.structures.grouping import families_of
from lotto.structures.nm import check_nm, prune_nm, shuffled_nm
from lotto.structures.request import Structure
from lotto.structures.rounds import OnTheWay
from lotto.structures.selection import check_reach, prune_groups, regrouped


def structured_mask(
    score: Callable[[int, Mask], Mapping[str, Tensor]],
    mask: Mask,
    model: nn.Module,
    input_shape: tuple[int, ...],
    rule: Rule,
    target: Target,
    structure: Structure,
    on_the_way: OnTheWay,
) -> Mask:
    """The mask of the next level, whole groups of ``structure`` removed.

    Args:
        score: the scores of every weight in a round, from 0, of the network with that mask; higher is kept.
        mask: what remains before; of the result nothing lies outside of it.
        model: looked at for its layers alone.

    Raises:
        BadRequest: the target cannot be met, or the network has no such groups.
    """
    if structure.name == "nm":
        return prune_nm(score, mask, kinds(model), rule, target, structure, on_the_way)
    families = families_of(structure, model, input_shape)
    if structure.name == "residual":
        return pruned_blocks(families[0], score(0, mask), mask, target, structure.pool)
    return prune_groups(score, mask, families, rule, target, structure.pool, on_the_way)


def zeroed_with(mask: Mask, model: nn.Module, input_shape: tuple[int, ...], structure: Structure) -> dict[str, Tensor]:
    """What goes along with the groups that ``mask`` lacks (``lotto.zeroed``); empty where they are no outputs of a layer."""
    return gone_with(model, input_shape, mask) if structure.removes_outputs else {}


def regrouped_mask(
    mask: Mask, scores: Mapping[str, Tensor], model: nn.Module, input_shape: tuple[int, ...], structure: Structure
) -> Mask:
    """A mask with as many groups as ``mask`` has of every kind, and so as many weights in every layer: those that score highest."""
    if structure.name == "nm":
        return shuffled_nm(mask, scores, structure)
    return regrouped(mask, families_of(structure, model, input_shape), scores)


def check_levels(
    model: nn.Module,
    input_shape: tuple[int, ...],
    rule: Rule,
    schedule: Schedule,
    iterative: bool,
    structure: Structure,
) -> None:
    """Raises BadRequest if a level of the schedule cannot be reached; nothing is trained for that."""
    if structure.name == "nm":
        check_nm(layers_in(model), rule, schedule, structure, iterative)
        return
    families = families_of(structure, model, input_shape)
    if structure.name == "residual":
        check_blocks(families[0], schedule)
        return
    everything = Mask({layer.name: torch.ones(layer.shape, dtype=torch.bool) for layer in layers_in(model)})
    check_reach(families, everything, rule, schedule, iterative)
