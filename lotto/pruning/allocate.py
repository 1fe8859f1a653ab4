"""Where to prune: how many weights each group of layers keeps. Pure arithmetic on counts; no tensor, no torch.

An allocation turns the layers' counts and a schedule's target into *budgets*: a budget is a group of layers whose scores compete
with each other, and the exact number of weights that the group keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lotto.errors import BadRequest
from lotto.schedule import Density, Removal, Rounds, Schedule, Target

KINDS = ("dense", "conv", "output", "shortcut")


@dataclass(frozen=True)
class Layer:
    """Counts of one prunable tensor; ``kind`` is one of ``KINDS``."""

    name: str
    kind: str
    total: int
    alive: int


@dataclass(frozen=True)
class Budget:
    """Layers that are pruned together and the number of weights they keep between them."""

    names: tuple[str, ...]
    keep: int


@dataclass(frozen=True)
class Rule:
    """The ``prune`` section of a request, as far as counts depend on it.

    Args:
        allocation: ``layerwise``, ``global`` or ``openlth``.
        rate: fraction of the surviving weights pruned per round; for ``layerwise`` also a mapping from kind of layer to rate.
        exclude: kinds of layer or patterns of parameter names (``*`` matches anything) that are never pruned.
    """

    allocation: str
    rate: float | Mapping[str, float]
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.allocation not in ALLOCATIONS:
            near = get_close_matches(str(self.allocation), ALLOCATIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadRequest(
                f"prune.allocation={self.allocation} is unknown: choose from {', '.join(ALLOCATIONS)}{hint}"
            )
        if isinstance(self.rate, Mapping):
            if self.allocation != "layerwise":
                raise BadRequest(
                    f"prune.rate={dict(self.rate)} is one rate per kind of layer, but prune.allocation={self.allocation} "
                    "lets all layers compete: give one number, e.g. prune.rate=0.2."
                )
            for kind, rate in self.rate.items():
                if kind not in KINDS:
                    raise BadRequest(
                        f"prune.rate.{kind}={rate} names no kind of layer: choose from {', '.join(KINDS)}."
                    )
                if rate != 0:
                    _check_rate(f"prune.rate.{kind}", rate)
        else:
            _check_rate("prune.rate", self.rate)

    def rate_of(self, layer: Layer) -> float:
        """The layer's rate per round; 0 for one that is excluded."""
        if any(pattern == layer.kind or fnmatchcase(layer.name, pattern) for pattern in self.exclude):
            return 0.0
        if not isinstance(self.rate, Mapping):
            return float(self.rate)
        if layer.kind not in self.rate:
            raise BadRequest(
                f"prune.rate={dict(self.rate)} gives no rate for kind {layer.kind}, which {layer.name} is: add it, or 0."
            )
        return float(self.rate[layer.kind])


def budgets(layers: Sequence[Layer], rule: Rule, target: Target) -> list[Budget]:
    """How many weights each group of layers keeps to meet ``target``.

    Raises:
        BadRequest: the target cannot be met: it would empty a layer that is pruned by itself, keep more than remains, or remove nothing.
    """
    rates = {layer.name: rule.rate_of(layer) for layer in layers}
    for name in rule.exclude:
        if name not in KINDS and not any(fnmatchcase(layer.name, name) for layer in layers):
            raise BadRequest(
                f"prune.exclude={name} matches neither a kind of layer ({', '.join(KINDS)}) nor a parameter: "
                f"the parameters are {', '.join(layer.name for layer in layers)}."
            )
    made = ALLOCATIONS[rule.allocation](layers, rates, target)
    alive = {layer.name: layer.alive for layer in layers}
    if all(budget.keep == sum(alive[name] for name in budget.names) for budget in made):
        raise BadRequest(
            f"Pruning to {_words(target)} removes no weight: there are more levels than these layers have weights for."
        )
    for budget in made:
        if budget.keep < 1:
            raise BadRequest(
                f"Pruning to {_words(target)} leaves no weight in {', '.join(budget.names)}: "
                "there are more levels than these layers have weights for."
            )
    return made


def _layerwise(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """Every layer by itself."""
    if isinstance(target, Density):
        keep = _layerwise_density(layers, rates, target.value)
    elif isinstance(target, Rounds):
        keep = {layer.name: _after_rounds(layer.alive, rates[layer.name], target.count) for layer in layers}
    else:
        highest = max(rates.values())
        keep = {
            layer.name: layer.alive - round(target.value * rates[layer.name] / highest * layer.alive)
            if highest
            else layer.alive
            for layer in layers
        }
    return [Budget((layer.name,), keep[layer.name]) for layer in layers]


def _layerwise_density(layers: Sequence[Layer], rates: Mapping[str, float], density: float) -> dict[str, int]:
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
    exact = shares(high)
    keep = {name: math.floor(share) for name, share in exact.items()}
    alive = {layer.name: layer.alive for layer in pruned}
    by_remainder = sorted(keep, key=lambda name: keep[name] - exact[name])
    while (missing := wanted - sum(keep.values())) > 0:
        for name in [name for name in by_remainder if keep[name] < alive[name]][:missing]:
            keep[name] += 1
    return {**fixed, **keep}


def _global(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """All layers that are not excluded compete; the paper's choice for Resnet-18 and VGG-19."""
    pool = [layer for layer in layers if rates[layer.name] > 0]
    fixed = [Budget((layer.name,), layer.alive) for layer in layers if rates[layer.name] == 0]
    if not pool:
        raise BadRequest("prune.exclude leaves no layer to prune.")
    alive = sum(layer.alive for layer in pool)
    if isinstance(target, Rounds):
        keep = _after_rounds(alive, rates[pool[0].name], target.count)
    elif isinstance(target, Removal):
        keep = alive - round(target.value * alive)
    else:
        keep = round(target.value * sum(layer.total for layer in layers)) - sum(budget.keep for budget in fixed)
        if not 0 < keep <= alive:
            raise BadRequest(
                f"{_words(target)} cannot be met: layers that are not pruned hold {sum(b.keep for b in fixed)} weights."
            )
    return [Budget(tuple(layer.name for layer in pool), keep), *fixed]


def _openlth(layers: Sequence[Layer], rates: Mapping[str, float], target: Target) -> list[Budget]:
    """OpenLTH's ``sparse_global``: the rate is of all that remains, excluded layers too, and one weight more goes.

    Its threshold is strict, so the weight at the threshold goes as well.
    """
    if isinstance(target, Density):
        raise BadRequest(
            "prune.allocation=openlth prunes a rate per round: choose schedule=geometric without schedule.density."
        )
    pool = [layer for layer in layers if rates[layer.name] > 0]
    fixed = [Budget((layer.name,), layer.alive) for layer in layers if rates[layer.name] == 0]
    alive, total = sum(layer.alive for layer in pool), sum(layer.alive for layer in layers)
    rounds, rate = (target.count, rates[pool[0].name]) if isinstance(target, Rounds) else (1, target.value)
    for _ in range(rounds):
        removed = math.ceil(rate * total) + 1
        alive, total = alive - removed, total - removed
    return [Budget(tuple(layer.name for layer in pool), alive), *fixed]


Allocation = Callable[[Sequence[Layer], Mapping[str, float], Target], list[Budget]]
ALLOCATIONS: dict[str, Allocation] = {"layerwise": _layerwise, "global": _global, "openlth": _openlth}


def forecast(layers: Sequence[Layer], rule: Rule, schedule: Schedule, iterative: bool) -> list[int]:
    """Weights that remain at every level, found without training: they follow from the counts alone.

    Raises:
        BadRequest: some level cannot be reached; the sentence names it.
    """
    remaining = [sum(layer.alive for layer in layers)]
    current = list(layers)
    for level in range(1, schedule.levels):
        since = level - 1 if iterative else 0
        try:
            made = budgets(current if iterative else layers, rule, schedule.target(level, since))
        except BadRequest as reason:
            raise BadRequest(f"schedule.levels={schedule.levels}: level {level} cannot be reached. {reason}") from None
        current = _spent(current, made)
        remaining.append(sum(budget.keep for budget in made))
    return remaining


def _spent(layers: Sequence[Layer], made: Sequence[Budget]) -> list[Layer]:
    """The layers after pruning; a shared budget is dealt in order, which no later count depends on."""
    left = dict.fromkeys((layer.name for layer in layers), 0)
    by_name = {layer.name: layer for layer in layers}
    for budget in made:
        keep = budget.keep
        for name in budget.names:
            left[name] = min(keep, by_name[name].alive)
            keep -= left[name]
    return [replace(layer, alive=left[layer.name]) for layer in layers]


def _after_rounds(alive: int, rate: float, rounds: int) -> int:
    """Survivors after ``rounds`` rounds that each prune exactly ``round(rate * survivors)`` weights."""
    for _ in range(rounds):
        alive -= round(rate * alive)
    return alive


def _check_rate(field: str, rate: object) -> None:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
        raise BadRequest(f"{field}={rate} lies outside (0, 1).")


def _words(target: Target) -> str:
    if isinstance(target, Density):
        return f"density {target.value:g}"
    return f"{target.count} round(s) more" if isinstance(target, Rounds) else f"{target.value:g} less"
