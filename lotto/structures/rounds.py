"""Scoring and pruning in several rounds."""

from __future__ import annotations

from dataclasses import dataclass

from lotto.pruning.allocation.path import PATHS


@dataclass(frozen=True)
class OnTheWay:
    """How one prune stage comes to its target.

    Args:
        rounds: how often it scores and prunes.
        path: of the density over the rounds: ``exponential`` or ``linear``.
        regrow: whether what a round has pruned competes again in the next.
    """

    rounds: int = 1
    path: str = "exponential"
    regrow: bool = False

    def is_last(self, number: int) -> bool:
        """Whether a round, counted from 0, is the one that meets the target."""
        return number == self.rounds - 1

    def value(self, start: float, end: float, number: int) -> float:
        """Where the path is after a round."""
        return PATHS[self.path](start, end, (number + 1) / self.rounds)
