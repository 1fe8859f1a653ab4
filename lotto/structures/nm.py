"""N:M sparsity: of every M weights that lie side by side along a layer's inputs, N stay (Mishra et al. 2021, Accelerating Sparse DNNs).

The inputs of a convolution are its channels, so that the M weights read M neighbouring channels at the same place of the kernel, as the
sparse units of current GPUs want them. Where M does not divide the inputs, the last ones stay dense, and so does a layer with fewer than M.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.pruning.allocate import Layer, Rule
from lotto.schedule import Density, Rounds, Schedule, Target
from lotto.structures.request import Structure
from lotto.structures.rounds import OnTheWay


def prune_nm(
    score: Callable[[int, Mask], Mapping[str, Tensor]],
    mask: Mask,
    kinds: Mapping[str, str],
    rule: Rule,
    target: Target,
    structure: Structure,
    on_the_way: OnTheWay,
) -> Mask:
    """Prune the weights of lowest score in every M of those layers that the rule prunes.

    A round removes one more of every M; a density must be that of some whole N.

    Args:
        score: the scores in a round, float, shaped like the mask's tensors; higher is kept, of equal ones the first.

    Raises:
        BadRequest: the target asks for no whole N, or for less than ``prune.n``.
    """
    wide = [name for name, kept in mask.items() if kept.shape[1] >= structure.m]
    chosen = [name for name in wide if _is_pruned(name, kinds, rule, mask[name])]
    if not chosen:
        raise BadRequest(
            f"prune.m={structure.m} is more inputs than any layer has that is pruned: there is nothing to prune."
        )
    before = max(int(_rows(mask[name], structure.m)[0].sum(-1).max()) for name in chosen)
    count, current = kept_of(structure, target, before), mask
    for number in range(on_the_way.rounds):
        left = count if on_the_way.is_last(number) else round(on_the_way.value(before, count, number))
        scores, base = score(number, current), mask if on_the_way.regrow else current
        current = Mask(
            {
                name: _pruned(scores[name].cpu(), kept, left, structure.m) if name in chosen else kept
                for name, kept in base.items()
            }
        )
    return current


def kept_of(structure: Structure, target: Target, before: int) -> int:
    """How many of every M stay where ``before`` did.

    Raises:
        BadRequest: as ``prune_nm`` says.
    """
    n, m = structure.n, structure.m
    if isinstance(target, Rounds):
        asked: float = before - target.count
    else:
        asked = target.value * m if isinstance(target, Density) else (1 - target.value) * before
    count = round(asked)
    if abs(asked - count) > 1e-6 or not n <= count < before:
        allowed = ", ".join(f"{left}:{m} ({left / m:g})" for left in range(before - 1, n - 1, -1)) or "nothing further"
        raise BadRequest(
            f"prune.structure=nm with prune.n={n} and prune.m={m} prunes to {allowed}: schedule=densities names these densities, and "
            f"schedule=geometric takes one of every {m} per level, so that schedule.levels is {m - n + 1} at most."
        )
    return count


def check_nm(layers: Sequence[Layer], rule: Rule, schedule: Schedule, structure: Structure, iterative: bool) -> None:
    """Whether every level can be reached.

    Args:
        layers: every prunable weight, with its shape.

    Raises:
        BadRequest: some level cannot be; the sentence names it.
    """
    rates = rule.rates(layers)
    if all(layer.shape[1] < structure.m for layer in layers if rates[layer.name] > 0):
        raise BadRequest(
            f"prune.m={structure.m} is more inputs than any layer has that is pruned: there is nothing to prune."
        )
    before = structure.m
    for level in range(1, schedule.levels):
        try:
            count = kept_of(structure, schedule.target(level, level - 1 if iterative else 0), before)
        except BadRequest as reason:
            raise BadRequest(f"schedule.levels={schedule.levels}: level {level} cannot be reached. {reason}") from None
        before = count if iterative else before


def shuffled_nm(mask: Mask, scores: Mapping[str, Tensor], structure: Structure) -> Mask:
    """As many of every M as ``mask`` keeps there, those that score highest."""
    made = {}
    for name, kept in mask.items():
        rows, rest = _rows(kept, structure.m)
        ranks = _ranks(_rows(scores[name], structure.m)[0])
        made[name] = _back(ranks < rows.sum(-1, keepdim=True), rest, kept)
    return Mask(made)


def _is_pruned(name: str, kinds: Mapping[str, str], rule: Rule, kept: Tensor) -> bool:
    return rule.rate_of(Layer(name, kinds[name], kept.numel(), kept.numel())) > 0


def _pruned(scores: Tensor, kept: Tensor, count: int, m: int) -> Tensor:
    rows, rest = _rows(kept, m)
    # What was pruned ranks last, below what remains and scores -inf.
    order = _rows(scores, m)[0].masked_fill(~rows, -torch.inf).argsort(stable=True, dim=-1, descending=True)
    remaining_first = rows.gather(-1, order).byte().argsort(stable=True, dim=-1, descending=True)
    ranks = order.gather(-1, remaining_first).argsort(-1)
    return _back(rows & (ranks < count), rest, kept)


def _ranks(scores: Tensor) -> Tensor:
    """From the highest, 0, down; of equal ones the first is higher."""
    return scores.argsort(stable=True, dim=-1, descending=True).argsort(-1)


def _rows(tensor: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """``[*, inputs // m, m]`` with the inputs last, and what is left over of them, ``[*, inputs % m]``."""
    last = tensor.movedim(1, -1)
    whole = last.shape[-1] // m * m
    return last[..., :whole].unflatten(-1, (-1, m)) if whole else last[..., :0].unflatten(-1, (0, m)), last[..., whole:]


def _back(rows: Tensor, rest: Tensor, like: Tensor) -> Tensor:
    return torch.cat([rows.flatten(-2), rest], -1).movedim(-1, 1).contiguous().view_as(like)
