"""How far weights move in training (Frankle & Carbin 2019, App. F: a ticket's move further than others, and mostly away from zero)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from lotto.mask import Mask
from lotto.probes.subject import Numbers, State, Subject


@dataclass(frozen=True)
class Movement:
    """Of some weights: the sum of squares and of absolute values of w_T - w_k, how many have grown in magnitude, and how many there are."""

    squares: float = 0.0
    absolute: float = 0.0
    grown: int = 0
    count: int = 0

    @classmethod
    def of(cls, start: Tensor, end: Tensor) -> Movement:
        """From w_k to w_T, both flat. A weight has grown if it is further from zero than it was, on either side of it."""
        apart = end.double() - start.double()
        return cls(
            float(apart.square().sum()),
            float(apart.abs().sum()),
            int((end.abs() > start.abs()).sum()),
            start.numel(),
        )

    def __add__(self, other: Movement) -> Movement:
        return Movement(
            self.squares + other.squares,
            self.absolute + other.absolute,
            self.grown + other.grown,
            self.count + other.count,
        )

    @property
    def l2(self) -> float:
        return math.sqrt(self.squares)

    @property
    def mean(self) -> float:
        """Mean |w_T - w_k|; NaN of no weights."""
        return self.absolute / self.count if self.count else math.nan

    @property
    def grew(self) -> float:
        """The fraction that has grown; NaN of no weights."""
        return self.grown / self.count if self.count else math.nan


def probe(subject: Subject, numbers: Numbers) -> None:
    """How far the weights of a ticket move from where its training starts, of every layer and of all; biases are not among them.

    ``l2`` is ||m * w_T - m * w_k||_2, ``mean`` the mean |w_T - w_k| and ``grew`` the fraction whose magnitude grew, over the weights that
    remain. ``dense_inside_mean`` and ``dense_inside_grew`` are those of the same weights in the dense network's training from the same
    point, and ``dense_outside_…`` of all the others. With weights chosen by their magnitude at the end, those inside have grown by choice:
    at level 1 the comparison shows how the mask was made, later levels and other criteria may be asked more.
    """
    mask = subject.mask(subject.network("trained"))
    ticket = moved(subject.network("start"), subject.network("trained"), mask)
    for layer, movement in ticket.items():
        numbers.add("l2", movement.l2, layer=layer)
        numbers.add("mean", movement.mean, layer=layer)
        numbers.add("grew", movement.grew, layer=layer)
    for place, part in (("inside", mask), ("outside", ~mask)):
        for layer, movement in moved(subject.network("dense_start"), subject.network("dense"), part).items():
            numbers.add(f"dense_{place}_mean", movement.mean, layer=layer)
            numbers.add(f"dense_{place}_grew", movement.grew, layer=layer)


def moved(start: State, end: State, mask: Mask) -> Mapping[str, Movement]:
    """The movement of the weights inside ``mask`` by layer, that of all of them first, under an empty name."""
    layers = {name: Movement.of(start.weights[name][kept], end.weights[name][kept]) for name, kept in mask.items()}
    return {"": sum(layers.values(), Movement()), **layers}
