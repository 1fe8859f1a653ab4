"""The layers that are pruned, those that are not, and how many weights the former keep between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lotto.errors import BadRequest
from lotto.pruning.allocation.layers import Budget, Layer
from lotto.schedule import Density, Removal, Rounds, Target


@dataclass(frozen=True)
class Pool:
    """Layers under one rate per round.

    Args:
        pruned: those that are not excluded.
        fixed: budgets of those that are: all that remains of them.
        rate: fraction of the survivors pruned per round.
        total: prunable weights of all layers, excluded ones included.
    """

    pruned: tuple[Layer, ...]
    fixed: tuple[Budget, ...]
    rate: float
    total: int

    @classmethod
    def of(cls, layers: Sequence[Layer], rates: Mapping[str, float]) -> Pool:
        """Raises BadRequest where every layer is excluded."""
        pruned = tuple(layer for layer in layers if rates[layer.name] > 0)
        if not pruned:
            raise BadRequest("prune.exclude leaves no layer to prune.")
        fixed = tuple(Budget((layer.name,), layer.alive) for layer in layers if rates[layer.name] == 0)
        return cls(pruned, fixed, rates[pruned[0].name], sum(layer.total for layer in layers))

    @property
    def alive(self) -> int:
        return sum(layer.alive for layer in self.pruned)

    def keep(self, target: Target) -> int:
        """How many weights the pruned layers keep between them.

        Raises:
            BadRequest: the excluded layers hold more than the target leaves, or less remains than it asks for.
        """
        if isinstance(target, Rounds):
            return after_rounds(self.alive, self.rate, target.count)
        if isinstance(target, Removal):
            return self.alive - round(target.value * self.alive)
        held = sum(budget.keep for budget in self.fixed)
        keep = round(target.value * self.total) - held
        if not 0 < keep <= self.alive:
            raise BadRequest(f"{words(target)} cannot be met: layers that are not pruned hold {held} weights.")
        return keep


def after_rounds(alive: int, rate: float, rounds: int) -> int:
    """Survivors after ``rounds`` rounds that each prune exactly ``round(rate * survivors)`` weights."""
    for _ in range(rounds):
        alive -= round(rate * alive)
    return alive


def words(target: Target) -> str:
    """The target in a sentence."""
    if isinstance(target, Density):
        return f"density {target.value:g}"
    return f"{target.count} round(s) more" if isinstance(target, Rounds) else f"{target.value:g} less"
