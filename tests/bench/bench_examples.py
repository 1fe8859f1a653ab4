"""Made-up measurements, and the tables made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lotto.bench.cases import Evaluation
from lotto.bench.contestants import Contestant
from lotto.bench.measurement import Measurement
from lotto.bench.results import BenchResults
from lotto.bench.rounds import Measured
from lotto.bench.settings import BenchSettings
from lotto.bench.summary import Block

SETTINGS = BenchSettings(
    models=("lenet",), replicates=(1, 5), density=0.03, rounds=3, seconds=2.0, start=True, folder=Path("outputs/bench")
)
EVALUATION = Evaluation(examples=5_000, every=100)
MACHINE = {
    "cpu": "A Processor",
    "cores": 2,
    "threads": 2,
    "gpu": None,
    "device": "cpu",
    "precision": "32",
    "versions": {"lotto": "0.1.0", "torch": "2.11.0"},
}


def measured(
    loop: str,
    replicates: int,
    density: float,
    rates: Sequence[float],
    memory: Sequence[int | None] = (200_000_000, 300_000_000, 100_000_000),
    evaluation: Evaluation | None = None,
) -> Measured:
    """A contestant of 100 steps that ran at these replicate-steps per second."""
    return Measured(
        Contestant("lenet", loop, replicates, density, evaluation),
        tuple(
            Measurement(replicates, 100, replicates * 100 / rate, peak, "plain" if loop == "plain" else "alone", "cpu")
            for rate, peak in zip(rates, memory, strict=True)
        ),
    )


def block(scale: float = 1.0) -> Block:
    """A machine that is twice as fast in the second round and half as fast in the third."""
    pace = [scale, 2 * scale, scale / 2]
    return Block(
        "lenet",
        (
            measured("plain", 1, 1.0, [1000 * p for p in pace]),
            measured("lotto", 1, 1.0, [900 * pace[0], 1000 * pace[1], 1100 * pace[2]]),
            measured("lotto", 5, 1.0, [2000 * p for p in pace]),
            measured("plain", 1, 0.03, [800 * p for p in pace], memory=(None, None, None)),
            measured("lotto", 1, 0.03, [1200 * p for p in pace]),
            measured("lotto", 5, 0.03, [6000 * pace[0], 5000 * pace[1], 7000 * pace[2]]),
            measured("lotto", 5, 1.0, [1500 * p for p in pace], evaluation=EVALUATION),
        ),
    )


def results(scale: float = 1.0, start: tuple[float, ...] = (5.0, 4.5, 6.0)) -> BenchResults:
    return BenchResults("lotto bench bench.models=lenet", SETTINGS, MACHINE, (block(scale),), start)
