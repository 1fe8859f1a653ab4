"""The counts of the rounds of one prune stage: from what remains to what the target leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lotto.pruning.allocation.layers import Budget, Layer
from lotto.schedule import Density

PATHS: dict[str, Callable[[float, float, float], float]] = {
    # From a to b, where t of the way is gone.
    "exponential": lambda a, b, t: a * (b / a) ** t if a else a,
    "linear": lambda a, b, t: a - (a - b) * t,
}


def rounds_to(
    last: Sequence[Budget],
    layers: Sequence[Layer],
    allocate: Callable[[Density], list[Budget]],
    end: float,
    rounds: int,
    path: str,
) -> Iterator[Sequence[Budget]]:
    """The budgets of every round: those of the density on the way, and at the end exactly ``last``.

    With density 1 at the start, round t of T has density d ** (t / T), or 1 - (1 - d) t / T (Tanaka et al. 2020). No layer or group
    of layers keeps less on the way than at the end, or more than in the round before.

    Args:
        layers: counts before the first round.
        allocate: the budgets of a density.
        end: density that ``last`` comes to.
    """
    start = sum(layer.alive for layer in layers) / sum(layer.total for layer in layers)
    alive = {layer.name: layer.alive for layer in layers}
    least = {budget.names: budget.keep for budget in last}
    most = {names: sum(alive[name] for name in names) for names in least}
    for number in range(1, rounds):
        on_the_way = allocate(Density(PATHS[path](start, end, number / rounds)))
        most = {budget.names: min(max(budget.keep, least[budget.names]), most[budget.names]) for budget in on_the_way}
        yield [Budget(names, keep) for names, keep in most.items()]
    yield last


def towards(last: Sequence[Budget], layers: Sequence[Layer], rounds: int, path: str) -> Iterator[Sequence[Budget]]:
    """The budgets of every round where only the last are given: each goes its own way along the path, from what is alive."""
    alive = {layer.name: layer.alive for layer in layers}
    for number in range(1, rounds + 1):
        yield [
            Budget(
                budget.names,
                round(PATHS[path](sum(alive[name] for name in budget.names), budget.keep, number / rounds)),
            )
            if number < rounds
            else budget
            for budget in last
        ]
