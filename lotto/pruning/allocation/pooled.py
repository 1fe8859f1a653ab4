"""Layers that compete: one budget for all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lotto.errors import BadRequest
from lotto.pruning.allocation.layers import Budget, Layer
from lotto.pruning.allocation.pool import Pool
from lotto.schedule import Density, Rounds, Target


def compete(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """All layers that are not excluded compete; the choice of Frankle & Carbin (2019) for Resnet-18 and VGG-19."""
    pool = Pool.of(layers, rates)
    return [Budget(tuple(layer.name for layer in pool.pruned), pool.keep(target)), *pool.fixed]


def openlth(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """OpenLTH's ``sparse_global``: the rate is of all that remains, excluded layers too, and one weight more goes.

    Its threshold is strict, so the weight at the threshold goes as well.
    """
    if isinstance(target, Density):
        raise BadRequest(
            "prune.allocation=openlth prunes a rate per round: choose schedule=geometric without schedule.density."
        )
    pool = Pool.of(layers, rates)
    alive, total = pool.alive, sum(layer.alive for layer in layers)
    rounds, rate = (target.count, pool.rate) if isinstance(target, Rounds) else (1, target.value)
    for _ in range(rounds):
        removed = math.ceil(rate * total) + 1
        alive, total = alive - removed, total - removed
    return [Budget(tuple(layer.name for layer in pool.pruned), alive), *pool.fixed]
