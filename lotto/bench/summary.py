"""What the rounds come to: medians with their range, and ratios that are taken within a round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from lotto.bench.rounds import Measured


@dataclass(frozen=True)
class Spread:
    """A median, and how far the values lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        listed = list(values)
        return cls(median(listed), min(listed), max(listed))


def rate(measured: Measured) -> Spread:
    """Replicate-steps per second."""
    return Spread.of(measurement.rate for measurement in measured.rounds)


def ratio(these: Measured, those: Measured) -> Spread:
    """How many times as fast these are as those, round by round: what slows a round down slows both."""
    return Spread.of(own.rate / other.rate for own, other in zip(these.rounds, those.rounds, strict=True))


def peak_memory(measured: Measured) -> int | None:
    """The highest of all rounds, in bytes."""
    return max((m.peak_memory for m in measured.rounds if m.peak_memory is not None), default=None)


@dataclass(frozen=True)
class Block:
    """All that was measured of one model."""

    model: str
    rows: tuple[Measured, ...]

    def to_plain(self, measured: Measured) -> Spread | None:
        """Against the plain loop at the same density; None where it would compare different work, or the loop with itself."""
        who = measured.contestant
        return None if who.loop == "plain" or who.evaluation else ratio(measured, self._row("plain", 1, who.density))

    @cached_property
    def sparse_to_dense(self) -> dict[int, Spread]:
        """lotto's sparse training against its dense one, by replicates."""
        sparse = [row for row in self.rows if row.contestant.loop == "lotto" and row.contestant.density < 1]
        return {
            row.contestant.replicates: ratio(row, self._row("lotto", row.contestant.replicates, 1.0)) for row in sparse
        }

    @cached_property
    def evaluated(self) -> Measured | None:
        """lotto with the paper's evaluations, where that was measured."""
        return next((row for row in self.rows if row.contestant.evaluation), None)

    @cached_property
    def with_evaluation(self) -> Spread | None:
        """The speed with the paper's evaluations against the speed without."""
        if self.evaluated is None:
            return None
        return ratio(self.evaluated, self._row("lotto", self.evaluated.contestant.replicates, 1.0))

    def _row(self, loop: str, replicates: int, density: float) -> Measured:
        wanted = (loop, replicates, density, False)
        return next(row for row in self.rows if _identity(row) == wanted)


def _identity(row: Measured) -> tuple[str, int, float, bool]:
    who = row.contestant
    return who.loop, who.replicates, who.density, who.evaluation is not None
