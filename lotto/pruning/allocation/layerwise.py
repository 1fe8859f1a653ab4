"""Every layer is pruned by itself, at the rate of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lotto.errors import BadRequest
from lotto.pruning.allocation.layers import Budget, Layer
from lotto.pruning.allocation.pool import after_rounds
from lotto.pruning.allocation.whole import dealt
from lotto.schedule import Density, Rounds, Target


def by_kind(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """Every layer by itself."""
    if isinstance(target, Density):
        keep = _density(layers, rates, target.value)
    elif isinstance(target, Rounds):
        keep = {layer.name: after_rounds(layer.alive, rates[layer.name], target.count) for layer in layers}
    else:
        highest = max(rates.values())
        keep = {
            layer.name: layer.alive - round(target.value * rates[layer.name] / highest * layer.alive)
            if highest
            else layer.alive
            for layer in layers
        }
    return [Budget((layer.name,), keep[layer.name]) for layer in layers]


def _density(layers: Sequence[Layer], rates: Mapping[str, float], density: float) -> dict[str, int]:
    """Counts that meet an overall density exactly, with the layers' densities in the relation that their rates give.

    After t rounds a layer of rate p has density (1 - p) ** t; t is taken as a real number, the one that meets the density overall.
    Whole weights are dealt by largest remainder.
    """
    wanted = round(density * sum(layer.total for layer in layers))
    fixed = {layer.name: layer.alive for layer in layers if rates[layer.name] == 0}
    pruned = [layer for layer in layers if rates[layer.name] > 0]
    wanted -= sum(fixed.values())
    if not pruned or wanted < len(pruned):
        raise BadRequest(
            f"Density {density:g} cannot be met: the layers that are not pruned hold {sum(fixed.values())} weights alone."
        )
    if wanted > sum(layer.alive for layer in pruned):
        raise BadRequest(f"Density {density:g} cannot be met: fewer weights than that remain.")

    def shares(rounds: float) -> dict[str, float]:
        return {
            layer.name: min(layer.total * (1 - rates[layer.name]) ** rounds, float(layer.alive)) for layer in pruned
        }

    low, high = 0.0, 1.0
    while sum(shares(high).values()) > wanted:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(shares(middle).values()) > wanted else (low, middle)
    return {**fixed, **dealt(shares(high), wanted, {layer.name: layer.alive for layer in pruned})}
