"""Who runs when: numbers of steps, found once; then rounds in which everybody runs once, in an order that moves on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lotto.bench.contestants import Contestant
from lotto.bench.measurement import Measurement, rate_in_words

# Of every replicate: with fewer the first step, which is slower, would count for too much.
LEAST_STEPS = 5
# A speed found in less than this part of the time that is asked for is not gone by.
_TRUSTED = 0.25
_GROWTH = 10


@dataclass(frozen=True)
class Measured:
    """A contestant and its measurements, one a round."""

    contestant: Contestant
    rounds: tuple[Measurement, ...]

    @property
    def steps(self) -> int:
        """That every replicate takes in a round."""
        return self.rounds[0].steps


def steps_for(seconds: float, train: Callable[[int], Measurement], unit: int = 1) -> int:
    """How many steps, a multiple of ``unit``, every replicate takes in about ``seconds``.

    The first training is not gone by: it compiles and loads what later ones find.
    """
    least = steps = -(-LEAST_STEPS // unit) * unit
    train(least)
    while (took := train(steps).seconds) < _TRUSTED * seconds:
        steps = round(steps * min(_GROWTH, seconds / took) / unit) * unit
    return max(least, round(steps * seconds / took / unit) * unit)


def in_rounds(
    count: int,
    steps: Mapping[Contestant, int],
    train: Callable[[Contestant, int], Measurement],
    say: Callable[[str], None],
) -> tuple[Measured, ...]:
    """Have everybody train for their number of ``steps`` once a round, so that all meet what else the machine does."""
    rounds: dict[Contestant, list[Measurement]] = {contestant: [] for contestant in steps}
    order = list(steps)
    for number in range(count):
        for contestant in order:
            measurement = train(contestant, steps[contestant])
            rounds[contestant].append(measurement)
            say(f"round {number + 1} of {count}: {contestant}: {rate_in_words(measurement.rate)} replicate-steps/s")
        order = [*order[1:], order[0]]
    return tuple(Measured(contestant, tuple(rounds[contestant])) for contestant in steps)
