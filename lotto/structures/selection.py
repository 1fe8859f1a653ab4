"""Which groups remain, given the scores of their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.pruning.allocate import Budget, Layer, Rule, budgets, round_budgets
from lotto.pruning.select import keep_highest
from lotto.schedule import Density, Schedule, Target
from lotto.structures.families import Family
from lotto.structures.rounds import OnTheWay


def prune_groups(
    score: Callable[[int, Mask], Mapping[str, Tensor]],
    mask: Mask,
    families: Sequence[Family],
    rule: Rule,
    target: Target,
    pool: str,
    on_the_way: OnTheWay,
) -> Mask:
    """Prune the groups of lowest score among those of which weights remain.

    Rates, removals and exclusions are of groups, as those of ``prune_mask`` are of weights. A density is of weights: as many groups
    remain as come nearest to it. Where families compete, the best group of each remains whatever its score: a network without a channel
    computes nothing.

    Args:
        score: the scores of every weight in a round, shaped like the mask's tensors; higher is kept.
        pool: how a group's score follows from its weights', ``mean`` or ``sum``.

    Raises:
        BadRequest: the target cannot be met.
    """
    counts = group_counts(families, mask)
    fixed = (
        None
        if isinstance(target, Density)
        else list(round_budgets(counts, rule, target, on_the_way.rounds, on_the_way.path))
    )
    current = mask
    for number in range(on_the_way.rounds):
        scores, base = score(number, current), mask if on_the_way.regrow else current
        ranked = _Ranked(families, base, scores, pool)
        if fixed is not None:
            current = ranked.pruned(fixed[number])
        elif isinstance(target, Density):
            density = on_the_way.value(mask.density, target.value, number)
            nearest = _nearest(ranked, rule, target.value if on_the_way.is_last(number) else density)
            if nearest is None:
                raise BadRequest(
                    f"Density {target.value:g} cannot be met: the groups that have to stay hold more weights."
                )
            current = nearest
    if isinstance(target, Density) and current.remaining >= mask.remaining:
        raise BadRequest(f"Density {target.value:g} cannot be met: no group is as small as what is to go.")
    return current


def group_counts(families: Sequence[Family], mask: Mask) -> list[Layer]:
    """Groups in all, and those of which weights remain, family by family."""
    return [
        Layer(own.name, own.kind, own.size, int(own.alive(mask).sum()), tuple(mask[own.name].shape)) for own in families
    ]


def regrouped(mask: Mask, families: Sequence[Family], scores: Mapping[str, Tensor]) -> Mask:
    """As many groups of each family and of each size as ``mask`` has, those whose weights score highest on average."""
    everything = Mask.ones(mask)
    made = dict(everything)
    for family in families:
        sizes, alive = family.weights(everything), family.alive(mask)
        pooled = family.pooled(scores, everything, "mean")
        kept = torch.zeros_like(alive)
        for size in sizes.unique().tolist():
            alike = sizes == size
            kept |= keep_highest(pooled, alike, int((alive & alike).sum()))
        family.prune(made, kept)
    return Mask(made)


def check_reach(families: Sequence[Family], everything: Mask, rule: Rule, schedule: Schedule, iterative: bool) -> None:
    """Whether every level can be reached, found without training: from counts of groups, and for densities from the fewest weights.

    Raises:
        BadRequest: some level cannot be; the sentence names it.
    """
    layers = group_counts(families, everything)
    for level in range(1, schedule.levels):
        since = level - 1 if iterative else 0
        target = schedule.target(level, since)
        try:
            if isinstance(target, Density):
                _check_density(families, everything, rule, target)
            else:
                made = budgets(layers, rule, target)
                if iterative:
                    layers = _spent(layers, made)
        except BadRequest as reason:
            raise BadRequest(f"schedule.levels={schedule.levels}: level {level} cannot be reached. {reason}") from None


class _Ranked:
    """Families with the scores of their groups, and which of these remain."""

    def __init__(self, families: Sequence[Family], mask: Mask, scores: Mapping[str, Tensor], pool: str) -> None:
        self.families, self.mask = {family.name: family for family in families}, mask
        self._alive = {family.name: family.alive(mask) for family in families}
        self._pooled = {family.name: family.pooled(scores, mask, pool) for family in families}

    @property
    def layers(self) -> list[Layer]:
        return group_counts(list(self.families.values()), self.mask)

    def pruned(self, made: Sequence[Budget]) -> Mask:
        """What the budgets, of groups, keep of the mask."""
        left = dict(self.mask)
        for budget in made:
            alive = [self._alive[name] for name in budget.names]
            scores = [self._pooled[name] for name in budget.names]
            if len(scores) > 1 and budget.keep < len(scores):
                raise BadRequest(f"{budget.keep} groups are too few for {len(scores)} layers, each of which keeps one.")
            kept = _highest(scores, alive, budget.keep)
            for name, part in zip(budget.names, kept.split([len(living) for living in alive]), strict=True):
                self.families[name].prune(left, part)
        return Mask(left)


def _nearest(ranked: _Ranked, rule: Rule, density: float) -> Mask | None:
    """The mask whose weights come nearest to a density, the one that there is among them; of two as near the smaller.

    None where all that the groups allow hold more.
    """
    mask, layers = ranked.mask, ranked.layers
    wanted = round(density * mask.total)
    total = sum(layer.total for layer in layers)
    too_few, enough = 0, sum(layer.alive for layer in layers)
    if wanted >= mask.remaining:  # groups may have taken it further than asked for already
        return mask
    best, reached = mask, False
    while enough - too_few > 1:
        groups = (too_few + enough) // 2
        try:
            made = ranked.pruned(budgets(layers, rule, Density(groups / total)))
        except BadRequest:
            too_few = groups
            continue
        best = min(made, best, key=lambda one: (abs(one.remaining - wanted), one.remaining))
        if made.remaining > wanted:
            enough = groups
        else:
            too_few, reached = groups, True
    return best if reached else None


def _highest(scores: Sequence[Tensor], alive: Sequence[Tensor], count: int) -> Tensor:
    """Which groups remain where families compete: of each its best, and the best of the others, whatever they score, infinity too."""
    if len(scores) == 1:
        return keep_highest(scores[0], alive[0], count)
    best = torch.cat(
        [keep_highest(own, living, min(1, int(living.sum()))) for own, living in zip(scores, alive, strict=True)]
    )
    others = torch.cat(list(alive)) & ~best
    return best | keep_highest(torch.cat(list(scores)), others, count - int(best.sum()))


def _check_density(families: Sequence[Family], everything: Mask, rule: Rule, target: Density) -> None:
    fewest = dict(everything)
    for family in families:
        if rule.rate_of(Layer(family.name, family.kind, family.size, family.size)) > 0:
            family.prune(fewest, torch.arange(family.size) == 0)
    least = Mask(fewest)
    if least.remaining > round(target.value * everything.total):
        raise BadRequest(
            f"Density {target.value:g} cannot be met: with one group of each layer, density {least.density:g} is left."
        )


def _spent(layers: Sequence[Layer], made: Sequence[Budget]) -> list[Layer]:
    """The layers after pruning; a shared budget is dealt in order, which no later count depends on."""
    left: dict[str, int] = {}
    alive = {layer.name: layer.alive for layer in layers}
    for budget in made:
        keep = budget.keep
        for name in budget.names:
            left[name] = min(keep, alive[name])
            keep -= left[name]
    return [replace(layer, alive=left[layer.name]) for layer in layers]
