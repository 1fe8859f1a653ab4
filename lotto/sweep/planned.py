"""A sweep as one plan: the union of its points' stages, and what is shared between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lotto.compose import composed, read_spec, run_id
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.store import Store
from lotto.sweep.definition import Point, Sweep

# One process runs all points, so these are the same for all.
_COMMON = ("hardware", "engine", "store", "logger")


@dataclass(frozen=True)
class PlannedPoint:
    """A point with its experiment and the stages of that alone."""

    point: Point
    spec: Spec
    plan: Plan
    name: str  # eight digits that tell its configuration from others, as in a run's folder


@dataclass(frozen=True)
class PlannedSweep:
    """All points of a sweep, with the request that they came from.

    Args:
        request: overrides behind those of the points.
        command: the words behind ``lotto`` that ask for the same again.
    """

    sweep: Sweep
    points: tuple[PlannedPoint, ...]
    request: tuple[str, ...]
    folder: Path
    command: tuple[str, ...]

    @classmethod
    def of(cls, sweep: Sweep, request: Sequence[str] = (), config_dir: str | None = None) -> PlannedSweep:
        """Compose and check every point.

        Args:
            request: overrides for all points, as they were asked for.

        Raises:
            BadRequest: a point is wrong, there is none, or points differ in what one process has once.
        """
        points = sweep.points([override for override in request if not _is_hydras(override)])
        return cls.of_points(sweep, points, request, config_dir)

    @classmethod
    def of_points(
        cls, sweep: Sweep, points: Sequence[Point], request: Sequence[str] = (), config_dir: str | None = None
    ) -> PlannedSweep:
        """The same for points that are given, whatever the axes say."""
        made, common = [], None
        for point in points:
            try:
                config = composed(point.overrides, config_dir)
                spec = read_spec(config)
            except BadRequest as reason:
                raise BadRequest(f"{sweep.name}, {point}: {reason}") from None
            settings = _common(config)
            common = common or settings
            for name in _COMMON:
                if settings[name] != common[name]:
                    raise BadRequest(
                        f"{sweep.name}, {point}: {name} is no axis, it is the same for all points of a sweep."
                    )
            made.append(PlannedPoint(point, spec, Plan.of(spec), run_id(_plain(config))))
        if not made:
            raise BadRequest(f"{sweep.name} has no point: skip leaves all of them out.")
        if made[0].spec.hardware.devices != 1:
            raise BadRequest(
                "hardware=ddp trains one experiment on several devices: a sweep gives every device its own."
            )
        return cls(sweep, tuple(made), tuple(request), _folder(sweep, made, request), ("sweep", sweep.name, *request))

    @property
    def spec(self) -> Spec:
        """The first point's: for what is the same in all."""
        return self.points[0].spec

    @cached_property
    def plan(self) -> Plan:
        return Plan.union(point.plan for point in self.points)

    @property
    def steps_together(self) -> int:
        """Training steps of the whole sweep, each stage once."""
        return self.plan.steps(self.plan.stages.values())

    @property
    def steps_apart(self) -> int:
        """The sum of what every point would train if it were run alone, in a store of its own."""
        return sum(point.plan.steps(point.plan.stages.values()) for point in self.points)

    @property
    def shared(self) -> str:
        """How much training the points share, in words."""
        if not self.steps_apart:
            return "nothing to train"
        share = self.steps_together / self.steps_apart
        return (
            f"{self.steps_together:,} training steps as planned; the points run apart: {self.steps_apart:,} "
            f"({100 * share:.1f}% of that is trained)"
        )

    def describe(self, store: Store) -> Iterator[str]:
        """What is planned, what is shared, and what is stored of every point."""
        axes = ", ".join(f"{axis}: {len(values)}" for axis, values in self.sweep.axes.items())
        yield f"{self.sweep.name}: {self.sweep.title}"
        yield f"{len(self.points)} points{f' ({axes})' if axes else ''}, store {store.root}"
        width = max(len(str(point.point)) for point in self.points)
        for point in self.points:
            keys = [entry.trained.key for entry in point.plan.entries]
            own = point.plan.steps(point.plan.missing(store.has, store.record).values())
            yield f"  {point.point!s:<{width}}  {sum(map(store.has, keys))}/{len(keys)} tickets stored, alone {own:,} steps to run"
        yield self.shared


def _common(config: DictConfig) -> dict[str, Any]:
    plain = _plain(config)
    return {name: plain.get(name) for name in _COMMON}


def _plain(config: DictConfig) -> dict[str, Any]:
    from omegaconf import OmegaConf

    own = OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])
    plain = OmegaConf.to_container(own, resolve=True)
    assert isinstance(plain, dict)
    return {str(name): value for name, value in plain.items()}


def _folder(sweep: Sweep, points: Sequence[PlannedPoint], request: Sequence[str]) -> Path:
    for override in request:
        name, _, value = override.lstrip("+").partition("=")
        if name == "hydra.run.dir":
            return Path(value.strip("'\""))
    digest = hashlib.sha256("/".join(point.name for point in points).encode()).hexdigest()[:8]
    return Path("outputs/sweeps") / sweep.name / digest


def _is_hydras(override: str) -> bool:
    return override.lstrip("+~").startswith("hydra")
