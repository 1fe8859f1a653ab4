"""Where to prune: how many weights each group of layers keeps. Pure arithmetic on counts; no tensor, no torch.

An allocation turns the layers' counts and a schedule's target into *budgets*: a budget is a group of layers whose scores compete
with each other, and the exact number of weights that the group keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lotto.errors import BadRequest
from lotto.pruning.allocation.layers import KINDS, Budget, Layer
from lotto.pruning.allocation.layerwise import by_kind
from lotto.pruning.allocation.path import rounds_to
from lotto.pruning.allocation.pool import words
from lotto.pruning.allocation.pooled import compete, openlth
from lotto.pruning.allocation.shared_out import balanced_claim, er_claim, erk_claim, shared_out, uniform_claim
from lotto.schedule import Density, Schedule, Target

__all__ = ["ALLOCATIONS", "KINDS", "Budget", "Layer", "Rule", "budgets", "forecast", "round_budgets"]

Allocation = Callable[[Sequence[Layer], Mapping[str, float], Target], list[Budget]]
ALLOCATIONS: dict[str, Allocation] = {
    "layerwise": by_kind,
    "global": compete,
    "openlth": openlth,
    "uniform": shared_out(uniform_claim),
    "erk": shared_out(erk_claim),
    "er": shared_out(er_claim),
    "balanced": shared_out(balanced_claim),
}


@dataclass(frozen=True)
class Rule:
    """The ``prune`` section of a request, as far as counts depend on it.

    Args:
        allocation: one of ``ALLOCATIONS``.
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
                    if self.allocation in ("global", "openlth")
                    else f"prune.rate={dict(self.rate)} is one rate per kind of layer, but prune.allocation={self.allocation} "
                    "itself says what every layer keeps: give one number, e.g. prune.rate=0.2."
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

    def rates(self, layers: Sequence[Layer]) -> dict[str, float]:
        """Every layer's rate; BadRequest for an exclusion that excludes nothing."""
        for name in self.exclude:
            if name not in KINDS and not any(fnmatchcase(layer.name, name) for layer in layers):
                raise BadRequest(
                    f"prune.exclude={name} matches neither a kind of layer ({', '.join(KINDS)}) nor a parameter: "
                    f"the parameters are {', '.join(layer.name for layer in layers)}."
                )
        return {layer.name: self.rate_of(layer) for layer in layers}


def budgets(layers: Sequence[Layer], rule: Rule, target: Target) -> list[Budget]:
    """How many weights each group of layers keeps to meet ``target``.

    Raises:
        BadRequest: the target cannot be met: it would empty a layer that is pruned by itself, keep more than remains, or remove nothing.
    """
    made = ALLOCATIONS[rule.allocation](layers, rule.rates(layers), target)
    alive = {layer.name: layer.alive for layer in layers}
    if all(budget.keep == sum(alive[name] for name in budget.names) for budget in made):
        raise BadRequest(
            f"Pruning to {words(target)} removes no weight: there are more levels than these layers have weights for."
        )
    for budget in made:
        if budget.keep < 1:
            raise BadRequest(
                f"Pruning to {words(target)} leaves no weight in {', '.join(budget.names)}: "
                "there are more levels than these layers have weights for."
            )
    return made


def round_budgets(
    layers: Sequence[Layer], rule: Rule, target: Target, rounds: int, path: str
) -> Iterator[Sequence[Budget]]:
    """The budgets of each of ``rounds`` rounds of scoring and pruning, the last of which meet ``target`` as one round would.

    Raises:
        BadRequest: the target cannot be met.
    """
    last = budgets(layers, rule, target)
    # What goes by a rate alone has no counts for a density on the way: its layers compete, and so they do there.
    between = ALLOCATIONS["global" if rule.allocation == "openlth" else rule.allocation]
    kept, total = sum(budget.keep for budget in last), sum(layer.total for layer in layers)
    end = target.value if isinstance(target, Density) else kept / total
    return rounds_to(
        last, layers, lambda on_the_way: between(layers, rule.rates(layers), on_the_way), end, rounds, path
    )


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
        current = spent(current, made)
        remaining.append(sum(budget.keep for budget in made))
    return remaining


def spent(layers: Sequence[Layer], made: Sequence[Budget]) -> list[Layer]:
    """The layers after pruning; a shared budget is dealt in order, which no later count depends on."""
    left = dict.fromkeys((layer.name for layer in layers), 0)
    by_name = {layer.name: layer for layer in layers}
    for budget in made:
        keep = budget.keep
        for name in budget.names:
            left[name] = min(keep, by_name[name].alive)
            keep -= left[name]
    return [replace(layer, alive=left[layer.name]) for layer in layers]


def _check_rate(field: str, rate: object) -> None:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
        raise BadRequest(f"{field}={rate} lies outside (0, 1).")
