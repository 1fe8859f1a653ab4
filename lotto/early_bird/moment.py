"""A network in the middle of its training: what a search keeps of the moment when it had settled. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# In the artifact of a search: what it found lies under this, and the ratio.
FOUND = "early_bird/"


def ratio_name(ratio: float) -> str:
    """A prune ratio as the artifact, the metrics and the report write it."""
    return f"{ratio:.10g}"


@dataclass(frozen=True)
class Moment:
    """A network in the middle of its training.

    Args:
        weights: parameters and buffers by name.
        step: how far it was trained.
        epoch: the same in whole epochs; None where nobody counted them.
        settled: whether a search had settled by then; None where nothing was searched for.
    """

    weights: dict[str, Tensor]
    step: int
    epoch: int | None = None
    settled: bool | None = None

    @classmethod
    def found(cls, source: Mapping[str, Tensor], ratio: float) -> Moment:
        """The moment that a search, an artifact's tensors, found for a prune ratio; its last one if it found none."""
        own = _under(source, f"{FOUND}{ratio_name(ratio)}/")
        step, epoch, settled = own["moment"].tolist()
        return cls(_under(own, "weights/") or _under(source, "weights/"), step, epoch, bool(settled))

    @classmethod
    def at(cls, source: Mapping[str, Tensor], step: int) -> Moment:
        """The last moment of a training, an artifact's tensors, that ended at ``step``."""
        return cls(_under(source, "weights/"), step)

    def results(self) -> dict[str, Any]:
        """For the record of what is drawn: ``found_epoch`` is None where the search did not settle."""
        made: dict[str, Any] = {"found_step": self.step}
        return made if self.settled is None else made | {"found_epoch": self.epoch if self.settled else None}


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
