"""Densities that follow from the layers' shapes alone: uniform, Erdős-Rényi, Erdős-Rényi-Kernel, balanced.

Each gives every layer a *claim*, and the weights that are kept are shared out in proportion to the claims. A layer whose share exceeds
what it has keeps all of it, and the surplus goes to the others, again in proportion, until it fits: the loop of the code of RigL
(Evci et al. 2020) for Erdős-Rényi, and water-filling for balanced. A single ``min(1, share)`` would lose density.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from lotto.errors import BadRequest
from lotto.pruning.allocation.layers import Budget, Layer
from lotto.pruning.allocation.pool import Pool, words
from lotto.pruning.allocation.whole import dealt
from lotto.schedule import Target


def uniform_claim(layer: Layer) -> float:
    """Uniform: the same density in every layer."""
    return float(layer.total)


def erk_claim(layer: Layer) -> float:
    """Erdős-Rényi-Kernel (Evci et al. 2020): density in proportion to (c_out + c_in + k_h + k_w) / (c_out c_in k_h k_w)."""
    return sum(layer.shape) * _per_weight(layer)


def er_claim(layer: Layer) -> float:
    """Erdős-Rényi (Mocanu et al. 2018): density in proportion to (c_out + c_in) / (c_out c_in), whatever the kernel."""
    return sum(layer.shape[:2]) * math.prod(layer.shape[2:]) * _per_weight(layer)


def balanced_claim(layer: Layer) -> float:
    """Balanced (Gadhikar, Mukherjee & Burkholz 2023): the same number of weights in every layer."""
    return 1.0


def _per_weight(layer: Layer) -> float:
    """1 where weights are counted; where groups of them are, how many groups there are to a weight."""
    return layer.total / math.prod(layer.shape)


def shared_out(claim: Callable[[Layer], float]) -> Callable[..., list[Budget]]:
    """The allocation that shares out by ``claim``. No layer is emptied as long as there is a weight for each."""

    def allocation(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
        pool = Pool.of(layers, rates)
        wanted = pool.keep(target)
        if wanted < len(pool.pruned):
            raise BadRequest(
                f"{words(target)} cannot be met: {wanted} weights are not enough for {len(pool.pruned)} layers."
            )
        alive = {layer.name: layer.alive for layer in pool.pruned}
        keep = dealt(shares({layer: claim(layer) for layer in pool.pruned}, wanted), wanted, alive, least=1)
        fixed = {budget.names[0]: budget.keep for budget in pool.fixed}
        return [Budget((layer.name,), (keep | fixed)[layer.name]) for layer in layers]

    return allocation


def shares(claims: Mapping[Layer, float], wanted: float) -> dict[str, float]:
    """``wanted`` in proportion to the claims, no layer more than is alive in it; what that leaves over to the others."""
    full: dict[str, float] = {}
    while True:
        free = {layer: claim for layer, claim in claims.items() if layer.name not in full}
        scale = (wanted - sum(full.values())) / sum(free.values()) if free else 0.0
        over = {layer.name: float(layer.alive) for layer, claim in free.items() if scale * claim > layer.alive}
        if not over:
            return {layer.name: full.get(layer.name, scale * claim) for layer, claim in claims.items()}
        full |= over
