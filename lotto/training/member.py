"""What goes into a fit, what comes out of it, and where its unfinished work is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from lotto.mask import Mask
from lotto.seeds import Streams
from lotto.training.network import Tensors


@dataclass
class Member:
    """One replicate's part of a fit.

    Args:
        name: what it is called when it fails.
        state: parameters and buffers to start from; already masked.
        mask: what remains, or None for a dense network.
        slots: optimizer state by slot and parameter name, or empty for a fresh one.
        metrics: the evaluations before the first step of this fit, if it goes on from an earlier point.
        best: ``loss``, ``step`` and ``test_accuracy`` of the best of those evaluations.
        wall: the seconds that those steps took.
        pending: sums of loss and accuracy, and the number of steps, since the last of those evaluations.
        regimen: what its regimen remembers of them.
        zeroed: what belongs to removed channels, and stays zero beside what the mask prunes (``lotto.zeroed``).
    """

    name: str
    streams: Streams
    state: Mapping[str, Tensor]
    mask: Mask | None = None
    slots: Mapping[str, Tensor] = field(default_factory=dict)
    metrics: list[dict[str, float]] = field(default_factory=list)
    best: Mapping[str, float] | None = None
    wall: float = 0.0
    pending: tuple[float, float, int] = (0.0, 0.0, 0)
    regimen: Mapping[str, Tensor] = field(default_factory=dict)
    zeroed: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass
class Fitted:
    """What a fit made of one member.

    ``finite`` is false if its loss was not, and then nothing else is to be trusted. ``carry`` is what a fit that goes on from its last
    step must know to come to the same metrics as one that never stopped there. ``own`` is what its regimen adds to the artifact, and
    ``regimen`` what it remembers.
    """

    state: Tensors
    slots: Tensors
    metrics: list[dict[str, float]]
    results: dict[str, Any]
    finite: bool
    carry: dict[str, Any]
    own: Tensors = field(default_factory=dict)
    regimen: Tensors = field(default_factory=dict)


class Checkpoints(Protocol):
    """Where unfinished work is kept."""

    def load(self) -> tuple[Tensors, dict[str, Any]] | None: ...

    def asked(self) -> bool:
        """Whether one is wanted now, in the middle of a chunk of steps: the process is to leave."""

    def due(self) -> bool: ...

    def save(self, tensors: Tensors, state: dict[str, Any]) -> None: ...
