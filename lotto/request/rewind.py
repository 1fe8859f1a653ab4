"""The ``rewind`` section: what a ticket is trained from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lotto.fields import choice, not_negative, nothing_left, section
from lotto.request.train import TrainSpec, step_before_the_end


@dataclass(frozen=True)
class RewindSpec:
    """What the surviving weights go back to before a ticket is trained.

    Args:
        to: ``weights`` (the weights of step ``at``: Frankle & Carbin 2019 at 0, Frankle et al. 2019 later), ``learning_rate``
            (trained weights, the schedule from ``at``: Renda et al. 2020), ``finetune`` (trained weights, the last learning rate) or
            ``weights_only`` (the weights of step ``at``, the last learning rate: the control of Renda et al. 2020).
        at: the absolute step that training goes on from.
        optimizer: ``fresh`` starts from empty optimizer state; ``follow`` takes the state that belongs to the weights.
        batch_norm: ``follow`` takes the statistics that belong to the weights, ``keep`` those of the trained network, ``reset``
            starts from mean 0 and variance 1.
        weight_decay: of tickets and controls; None for that of the dense network.
    """

    to: str
    at: int
    optimizer: str = "fresh"
    batch_norm: str = "follow"
    weight_decay: float | None = None

    @property
    def goes_back(self) -> bool:
        """Whether weights go back to step ``at``; else the trained ones stay."""
        return self.to in ("weights", "weights_only")

    @property
    def holds_rate(self) -> bool:
        """Whether tickets are trained at the last learning rate of the schedule; else along the schedule from ``at`` on."""
        return self.to in ("finetune", "weights_only")

    @classmethod
    def read(cls, config: Mapping[str, Any], train: TrainSpec) -> RewindSpec:
        config = section("rewind", config, ("to", "at"))
        written, weight_decay = config.pop("at"), config.pop("weight_decay", None)
        at = step_before_the_end("rewind.at", written, train)
        return cls(
            to=choice("rewind.to", config.pop("to"), ("weights", "learning_rate", "finetune", "weights_only")),
            at=at,
            optimizer=choice("rewind.optimizer", config.pop("optimizer", "fresh"), ("fresh", "follow")),
            batch_norm=choice("rewind.batch_norm", config.pop("batch_norm", "follow"), ("follow", "keep", "reset")),
            weight_decay=None if weight_decay is None else not_negative("rewind.weight_decay", weight_decay),
            **nothing_left("rewind", config),
        )
