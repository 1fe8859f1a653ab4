"""What one contestant did in one round."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """A training that was timed.

    Args:
        steps: that every replicate took.
        seconds: of the training, as ``wall_seconds`` counts them: without reading data, with setting up what trains.
        peak_memory: bytes, or None where the system does not tell.
        engine: lotto's engine, or ``plain``.
        device: where it ran.
        first_step: seconds, of those of training, until the first step was done, where that was noted.
    """

    replicates: int
    steps: int
    seconds: float
    peak_memory: int | None
    engine: str
    device: str
    first_step: float | None = None

    @property
    def rate(self) -> float:
        """Replicate-steps per second."""
        return self.replicates * self.steps / self.seconds


def rate_in_words(rate: float) -> str:
    """Whole steps, but three digits at least."""
    return f"{rate:,.{0 if rate >= 100 else 1 if rate >= 10 else 2}f}"
