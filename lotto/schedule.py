"""How density falls from level to level. Pure arithmetic: what a level asks of the allocation is a *target*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, cast, runtime_checkable

from lotto.errors import BadRequest


@dataclass(frozen=True)
class Rounds:
    """Prune ``count`` times at each layer's own rate per round (a rate of the weights that still remain)."""

    count: int


@dataclass(frozen=True)
class Density:
    """Leave this fraction of all prunable weights."""

    value: float


@dataclass(frozen=True)
class Removal:
    """Remove this fraction of what remains in layers of the highest rate, and of others in proportion to their rates."""

    value: float


@dataclass(frozen=True)
class Blocks:
    """Remove so many residual blocks: no demand on weights, so no allocation but ``lotto.residual`` meets it."""

    count: int


Target = Rounds | Density | Removal


def as_fields(target: Target) -> dict[str, Any]:
    """The target as part of a stage's identity."""
    return {"target": type(target).__name__.lower(), **vars(target)}


def from_fields(fields: dict[str, Any]) -> Target:
    if fields["target"] == "blocks":
        return cast("Target", Blocks(fields["count"]))
    kinds: dict[str, type[Target]] = {"rounds": Rounds, "density": Density, "removal": Removal}
    return kinds[fields["target"]](**{name: value for name, value in fields.items() if name != "target"})


@runtime_checkable
class Schedule(Protocol):
    """What a method needs of a schedule."""

    levels: int

    def target(self, level: int, since: int) -> Target:
        """What to prune for ``level`` >= 1 from the network of level ``since``: ``level - 1`` if iterative, 0 if one-shot."""


@dataclass(frozen=True)
class Geometric:
    """The paper's schedule: the same rate of the survivors at every round.

    The rate is the allocation's, per kind of layer; with ``density`` given it is instead the rate that reaches this density
    at the last level, d_k = density ** (k / (levels - 1)).
    """

    levels: int
    density: float | None = None

    def __post_init__(self) -> None:
        _check_levels(self.levels)
        if self.density is not None:
            _check_fraction("schedule.density", self.density)

    def target(self, level: int, since: int) -> Target:
        if self.density is None:
            return Rounds(level - since)
        return Density(self.density ** (level / (self.levels - 1)))


@dataclass(frozen=True)
class _Towards:
    """A density at the last level, and a path to it."""

    levels: int
    density: float

    def __post_init__(self) -> None:
        _check_levels(self.levels)
        _check_fraction("schedule.density", self.density)


@dataclass(frozen=True)
class Linear(_Towards):
    """Equal numbers of weights pruned at every level: d_k = 1 - (1 - density) k / (levels - 1)."""

    def target(self, level: int, since: int) -> Target:
        return Density(1 - (1 - self.density) * level / (self.levels - 1))


@dataclass(frozen=True)
class Cubic(_Towards):
    """Zhu & Gupta (2017), eq. 1 from sparsity 0: d_k = density + (1 - density) (1 - k / (levels - 1)) ** 3."""

    def target(self, level: int, since: int) -> Target:
        return Density(self.density + (1 - self.density) * (1 - level / (self.levels - 1)) ** 3)


class _Listed:
    """Levels written out, one after another; ``levels`` may cut the list short."""

    def __init__(self, field: str, values: Sequence[float], levels: int | None) -> None:
        if not isinstance(values, list | tuple):
            raise BadRequest(f"schedule.{field}={values} is not a list: write schedule.{field}=[…].")
        for value in values:
            _check_fraction(f"schedule.{field}", value)
        self.values = tuple(float(value) for value in values)
        if not self.values:
            raise BadRequest(
                f"schedule.{field}=[] is empty: name the value of at least one level below the dense network."
            )
        self.levels = len(self.values) + 1 if levels is None else levels
        _check_levels(self.levels)
        if self.levels > len(self.values) + 1:
            raise BadRequest(
                f"schedule.levels={levels} asks for more levels than schedule.{field} lists: "
                f"at most {len(self.values) + 1}, the dense network included."
            )


class Densities(_Listed):
    """A list of densities, falling, for the levels after the dense network."""

    def __init__(self, densities: Sequence[float], levels: int | None = None) -> None:
        super().__init__("densities", densities, levels)
        if any(later >= earlier for earlier, later in zip(self.values, self.values[1:], strict=False)):
            raise BadRequest(f"schedule.densities={list(densities)} must fall from level to level.")

    def target(self, level: int, since: int) -> Target:
        return Density(self.values[level - 1])


class Removals(_Listed):
    """A list of removal rates: of the dense network if one-shot (Fig 4c of Frankle & Carbin), of the survivors if iterative."""

    def __init__(self, removals: Sequence[float], levels: int | None = None) -> None:
        super().__init__("removals", removals, levels)

    def target(self, level: int, since: int) -> Target:
        return Removal(self.values[level - 1])


class RemovedBlocks:
    """How many residual blocks are gone at every level after the dense network, in all; for ``prune.structure=residual``."""

    def __init__(self, removed: Sequence[int], levels: int | None = None) -> None:
        if not isinstance(removed, list | tuple) or not removed:
            raise BadRequest(
                f"schedule.removed={removed} is not a list of numbers of blocks: write schedule.removed=[1,2]."
            )
        for count in removed:
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise BadRequest(f"schedule.removed={count} is not a number of blocks: 0 or more.")
        if any(later <= earlier for earlier, later in pairwise(removed)):
            raise BadRequest(f"schedule.removed={list(removed)} must rise from level to level.")
        self.removed = tuple(removed)
        self.levels = len(removed) + 1 if levels is None else levels
        _check_levels(self.levels)
        if self.levels > len(removed) + 1:
            raise BadRequest(
                f"schedule.levels={levels} asks for more levels than schedule.removed lists: "
                f"at most {len(removed) + 1}, the dense network included."
            )

    def target(self, level: int, since: int) -> Target:
        asked = Blocks(self.removed[level - 1] - (self.removed[since - 1] if since else 0))
        return cast("Target", asked)  # the request is refused unless blocks are what is pruned


def _check_levels(levels: object) -> None:
    if not isinstance(levels, int) or isinstance(levels, bool) or levels < 1:
        raise BadRequest(f"schedule.levels={levels} is not a number of levels: 1 (the dense network alone) or more.")


def _check_fraction(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise BadRequest(f"{field}={value} lies outside (0, 1).")
