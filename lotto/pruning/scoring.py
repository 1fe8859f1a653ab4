"""How a criterion is used in one prune stage: what it looks at, in how many rounds. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lotto.data.facts import Facts
from lotto.errors import BadRequest
from lotto.fields import choice, flag, nothing_left, whole
from lotto.pruning.allocation.path import PATHS


@dataclass(frozen=True)
class BatchSettings:
    """Training images for a criterion, without augmentation, drawn without replacement.

    Args:
        per_class: so many of every class; or None.
        count: or so many batches of ``size`` images of any class.
        size: images in a batch; with ``per_class`` None puts all into one.
        redraw: other images in every round, instead of the same.
    """

    per_class: int | None = None
    count: int | None = None
    size: int | None = None
    redraw: bool = False

    @classmethod
    def read(cls, config: object, data: Facts) -> BatchSettings:
        field = "prune.batches"
        if not isinstance(config, Mapping):
            raise BadRequest(
                f"{field}={config} is not a section of settings: write {field}={{per_class: 10}}, or null."
            )
        config = dict(config)

        def number(name: str) -> int | None:
            value = config.pop(name, None)
            return None if value is None else whole(f"{field}.{name}", value, 1)

        made = cls(
            per_class=number("per_class"),
            count=number("count"),
            size=number("size"),
            redraw=flag(f"{field}.redraw", config.pop("redraw", False)),
            **nothing_left(field, config),
        )
        made._check(data)
        return made

    def _check(self, data: Facts) -> None:
        if (self.per_class is None) == (self.count is None):
            raise BadRequest(
                f"prune.batches.per_class={self.per_class} and prune.batches.count={self.count}: give one of the two, the other null."
            )
        if self.count is not None and self.size is None:
            raise BadRequest(
                f"prune.batches.count={self.count} needs the images in a batch: give prune.batches.size=…."
            )
        images = self.per_class * data.classes if self.per_class else (self.count or 0) * (self.size or 0)
        if images > data.train:
            raise BadRequest(f"prune.batches asks for {images:,} images, and there are {data.train:,} to train on.")


@dataclass(frozen=True)
class Scoring:
    """How one prune stage comes from scores to its mask.

    Args:
        rounds: how often it scores and prunes on its way to the target.
        path: of the density over the rounds: ``exponential`` or ``linear``.
        regrow: whether what a round has pruned competes again in the next.
        batches: the images that the criterion looks at; None if it looks at none.
        draws: whether the criterion draws at random.
        initial: whether the criterion looks at the weights at initialisation, besides those that it is to score.
    """

    rounds: int = 1
    path: str = "exponential"
    regrow: bool = False
    batches: BatchSettings | None = None
    draws: bool = False
    initial: bool = False

    @classmethod
    def taken_from(cls, prune: dict[str, Any], data: Facts) -> Scoring:
        """Take its settings out of the ``prune`` section.

        Raises:
            BadRequest: one is out of its range, or contradicts another.
        """
        batches = prune.pop("batches", None)
        return cls(
            rounds=whole("prune.rounds", prune.pop("rounds", 1), 1),
            path=choice("prune.path", prune.pop("path", "exponential"), tuple(PATHS)),
            regrow=flag("prune.regrow", prune.pop("regrow", False)),
            batches=None if batches is None else BatchSettings.read(batches, data),
            draws=flag("prune.draws", prune.pop("draws", False)),
            initial=flag("prune.initial", prune.pop("initial", False)),
        )

    def as_fields(self, data: Mapping[str, Any], streams: Mapping[str, Any]) -> dict[str, Any]:
        """Its part in a prune stage's identity: data and replicate only where they change a number.

        Args:
            data: the data set's identity.
            streams: seed and replicate.
        """
        several = self.rounds > 1
        fields: dict[str, Any] = {
            "rounds": self.rounds,
            "path": self.path if several else "exponential",
            "regrow": self.regrow and several,
        }
        if self.batches is not None:
            settings = {name: value for name, value in asdict(self.batches).items() if value is not None}
            fields |= {"batches": settings | {"redraw": self.batches.redraw and several}, "data": dict(data)}
        return fields | (dict(streams) if self.draws or self.batches is not None else {})
