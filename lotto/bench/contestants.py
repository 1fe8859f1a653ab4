"""Who is measured: one row of the table each. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lotto.bench.cases import CASES, Evaluation
from lotto.bench.settings import BenchSettings

# The papers' number of replicates, for which the cost of evaluation is measured.
EVALUATED_REPLICATES = 5


@dataclass(frozen=True)
class Contestant:
    """A way to train one network.

    Args:
        loop: ``plain``, written by hand, or ``lotto``.
        density: 1 for the dense network.
        evaluation: the paper's; without it training is measured alone, as the plain loop always is.
    """

    model: str
    loop: str
    replicates: int
    density: float
    evaluation: Evaluation | None = None

    @property
    def label(self) -> str:
        """What the table calls it."""
        if self.loop == "plain":
            return "plain loop"
        return "lotto+eval" if self.evaluation else "lotto"

    def __str__(self) -> str:
        many = "s" if self.replicates > 1 else ""
        return f"{self.model}, {self.label}, {self.replicates} replicate{many} at {100 * self.density:.3g}% density"


def contestants_of(model: str, settings: BenchSettings) -> tuple[Contestant, ...]:
    """Everybody who trains ``model``, in the order of the table."""
    return tuple(_contestants(model, settings))


def _contestants(model: str, settings: BenchSettings) -> Iterator[Contestant]:
    for density in (1.0, settings.density):
        yield Contestant(model, "plain", 1, density)
        for replicates in settings.replicates:
            yield Contestant(model, "lotto", replicates, density)
    evaluation = CASES[model].evaluation
    if evaluation and EVALUATED_REPLICATES in settings.replicates:
        yield Contestant(model, "lotto", EVALUATED_REPLICATES, 1.0, evaluation)
