"""A part of a data set: some of its classes, or an even share of every class. Imports no torch.

``data.part`` asks for one: ``{classes: [0, 1, 2, 3, 4]}`` keeps the examples of these classes, in every split, and calls the first of them
0, the second 1, and so on; ``{share: 0, of: 2}`` keeps all classes, and of the training examples the first of two stratified shares.

How many examples a class has is known only once the labels are read, but the length of a training, which may be written in epochs, must be
known before. So an epoch counts as that of an even set: a part of 5 of 10 classes has half of the examples. Where classes differ in
size, a pass over the part itself may be a step shorter or longer than what counts as its epoch; lengths in iterations are exact always.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest
from lotto.fields import list_of, whole

if TYPE_CHECKING:
    from lotto.data.facts import Facts


@dataclass(frozen=True)
class Part:
    """Which examples of a data set there are.

    Args:
        classes: labels of the whole set, in the order of their new labels; None for all of them.
        share: which of ``of`` shares of the training examples.
        of: how many shares there are; 1 keeps all examples.
    """

    classes: tuple[int, ...] | None = None
    share: int = 0
    of: int = 1

    @classmethod
    def read(cls, written: object) -> Part:
        """The field ``data.part``.

        Raises:
            BadRequest: it says something else than a part is made of.
        """
        if not isinstance(written, Mapping) or not written or not set(written) <= {"classes", "share", "of"}:
            raise BadRequest(
                f"data.part={written} is no part of a data set: write {{classes: [0, 1]}}, or {{share: 0, of: 2}}."
            )
        of = whole("data.part.of", written.get("of", 1), 1)
        share = whole("data.part.share", written.get("share", 0), 0)
        if share >= of:
            raise BadRequest(f"data.part.share={share} is none of {of} shares: choose from 0 to {of - 1}.")
        classes = written.get("classes")
        return cls(None if classes is None else _labels(classes), share, of)

    @property
    def field(self) -> dict[str, Any]:
        """The part as ``data.part`` says it, which is a part of the data's identity."""
        labels = {} if self.classes is None else {"classes": list(self.classes)}
        return labels | ({} if self.of == 1 else {"share": self.share, "of": self.of})

    def facts(self, whole: Facts) -> Facts:
        """What is known of the part before it is read: sizes as if all classes had as many examples.

        Raises:
            BadRequest: it names a class that there is not, or nothing is left to train on.
        """
        for label in self.classes or ():
            if label >= whole.classes:
                raise BadRequest(
                    f"data.part.classes names {label}: the classes of the data are 0 to {whole.classes - 1}."
                )
        count = whole.classes if self.classes is None else len(self.classes)

        def even(examples: int) -> int:
            return -(-examples * count // whole.classes)

        train = -(-(even(whole.train) - self.share) // self.of)
        if train < 1:
            raise BadRequest(f"data.part.of={self.of} leaves shares of {even(whole.train)} examples without any.")
        return dataclasses.replace(
            whole,
            train=train,
            validation=even(whole.validation),
            test=even(whole.test),
            classes=count,
            identity={**whole.identity, "part": self.field},
        )

    def within(self, outer: Part) -> Part:
        """This part of a data set that is the part ``outer`` of another, as a part of that other one.

        Raises:
            BadRequest: both are shares.
        """
        if self.of > 1 and outer.of > 1:
            raise BadRequest(f"data.part={outer.field} is a share of its data set, which is not dealt out again.")
        shared = outer if self.of == 1 else self
        if outer.classes is None or self.classes is None:
            classes = outer.classes if self.classes is None else self.classes
        else:
            classes = tuple(outer.classes[label] for label in self.classes)
        return Part(classes, shared.share, shared.of)


def part_of(facts: Facts, config: Mapping[str, Any], part: Part) -> tuple[Facts, dict[str, Any]]:
    """Facts and configuration of a part of the data set that ``facts`` and ``config`` describe, which may be a part itself."""
    outer = config.get("part")
    field = part.field if outer is None else part.within(Part.read(outer)).field
    made = part.facts(facts)
    return dataclasses.replace(made, identity={**facts.identity, "part": field}), {**config, "part": field}


def _labels(written: object) -> tuple[int, ...]:
    labels = tuple(whole("data.part.classes", label, 0) for label in list_of("data.part.classes", written))
    if not labels or len(set(labels)) < len(labels):
        raise BadRequest(f"data.part.classes={list(labels)} must name one class or more, each once.")
    return labels
