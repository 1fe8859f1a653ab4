"""Whether a run's files obey OpenLTH's own rules, down to the bit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from lotto.errors import BadRequest
from lotto.openlth.load import Level, Replicate
from lotto.pruning.allocate import Rule
from lotto.pruning.prune import prune_mask
from lotto.schedule import Rounds


def check(
    run: Replicate, levels: Sequence[int] | None = None, fraction: float = 0.2, exclude: Sequence[str] | None = None
) -> list[str]:
    """The problems of a run's levels, one sentence each; none if all is as it should be.

    Every level must start from its mask times W_k, end with its pruned weights at zero, and have the mask that
    ``sparse_global`` makes of the level before it, where that is there.

    Args:
        levels: all of them by default.
        fraction: the run's ``pruning_fraction``.
        exclude: the run's ``pruning_layers_to_ignore``, by lotto's names; by default the family's.

    Raises:
        BadRequest: a level is not there, or a file of it cannot be read.
    """
    family = run.architecture.family
    if exclude is None:
        exclude = (family.ignored,) if family.ignored else ()
    rule = Rule("openlth", fraction, tuple(exclude))
    problems: list[str] = []
    for number in run.levels if levels is None else levels:
        level = run.level(number)
        problems += [*_start(level, run), *_end(level), *_report(level)]
        if number == 0:
            problems += _dense(level)
        elif number - 1 in run.levels:
            problems += _pruning(run.level(number - 1), level, rule, run)
    return problems


def _start(level: Level, run: Replicate) -> Iterator[str]:
    for name, tensor in level.mask.apply(run.weights_k).items():
        if not torch.equal(level.start[name], tensor):
            yield f"Level {level.number} does not start from its mask times level 0's start: {name} differs."


def _end(level: Level) -> Iterator[str]:
    for name, kept in level.mask.items():
        if level.end is not None and (living := int((level.end[name][~kept] != 0).sum())):
            yield f"Level {level.number} ends with {living} pruned weights of {name} that are not zero."


def _report(level: Level) -> Iterator[str]:
    counted = (level.mask.remaining, level.mask.total)
    if level.sparsity is not None and level.sparsity != counted:
        reported = " of ".join(map(str, level.sparsity))
        yield (
            f"Level {level.number}'s sparsity_report.json says that {reported} weights remain, "
            f"and its mask keeps {counted[0]} of {counted[1]}."
        )


def _dense(level: Level) -> Iterator[str]:
    if level.mask.remaining != level.mask.total:
        yield f"Level 0 is not dense: its mask keeps {level.mask.remaining} of {level.mask.total} weights."


def _pruning(before: Level, level: Level, rule: Rule, run: Replicate) -> Iterator[str]:
    assert isinstance(rule.rate, float)
    alive = before.mask.remaining
    # The threshold is the weight after those that the fraction counts, and it goes too.
    expected = alive - math.ceil(rule.rate * alive) - 1
    if level.mask.remaining != expected:
        yield (
            f"Level {level.number} keeps {level.mask.remaining} of {alive} weights, and OpenLTH's rule {expected}: "
            f"its pruning_fraction was not {rule.rate}, or weights tied at the threshold, which it prunes together."
        )
    elif before.end is not None:
        scores = {name: before.end[name].abs() for name in before.mask}
        try:
            pruned = prune_mask(scores, before.mask, run.architecture.kinds, rule, Rounds(1))
        except BadRequest as reason:
            yield f"Level {level.number} cannot be pruned again: {reason}"
            return
        if pruned != level.mask:
            yield (
                f"Level {level.number}'s mask differs at {pruned.hamming(level.mask)} places from what OpenLTH's rule "
                f"makes of level {before.number}'s weights: its pruning_layers_to_ignore was not "
                f"{', '.join(rule.exclude) or 'empty'}, or a file was changed."
            )
