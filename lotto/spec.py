"""A request, read and checked: what changes a number (identity) apart from what does not (device, workers, store)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lotto.data.facts import Facts
from lotto.errors import BadRequest
from lotto.fields import check_levels, choice, near
from lotto.pruning.allocate import Rule
from lotto.pruning.scoring import Scoring
from lotto.request.control import ControlSpec
from lotto.request.hardware import HardwareSpec
from lotto.request.probe import ProbeSpec
from lotto.request.rewind import RewindSpec
from lotto.request.train import TrainSpec
from lotto.schedule import Schedule
from lotto.starts.source import Source
from lotto.structures.request import Structure

ENGINES = ("auto", "alone", "stacked", "dense", "sparse", "slim")


@dataclass(frozen=True)
class Spec:
    """One experiment."""

    name: str
    seed: int
    replicates: int
    data: Facts
    data_config: Mapping[str, Any]
    model: Mapping[str, Any]
    train: TrainSpec
    method_name: str
    method: Callable[..., Any]
    iterative: bool | None  # whether a level is pruned from the one before; None if levels do not follow from rates
    method_options: Mapping[str, Any]
    criterion_name: str
    criterion: Mapping[str, Any]
    rule: Rule
    schedule: Schedule
    rewind: RewindSpec
    controls: tuple[ControlSpec, ...]
    probes: tuple[ProbeSpec, ...]
    hardware: HardwareSpec
    store: str
    scoring: Scoring = dataclasses.field(default_factory=Scoring)
    engine: str = "auto"
    start: Source | None = None  # weights that are read instead of drawn
    structure: Structure = dataclasses.field(default_factory=Structure)
    waypoints: Mapping[str, Sequence[int]] = dataclasses.field(default_factory=dict)
    loggers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    request: Mapping[str, Any] = dataclasses.field(
        default_factory=dict, repr=False
    )  # as composed, for those who show it beside the results

    def __post_init__(self) -> None:
        from lotto.probes.planning import levels_named

        for probe in self.probes:
            check_levels(f"probes.{probe.name}.levels", probe.levels, 0, self.schedule.levels)
            check_levels(f"probes.{probe.name}.networks", levels_named(probe.networks), 0, self.schedule.levels)
            branches = ("ticket", *(control.name for control in self.controls))
            for branch in probe.branches or ():
                if branch not in branches:
                    raise BadRequest(
                        f"probes.{probe.name}.branches={branch} is not among this request's branches, {', '.join(branches)}: add the "
                        f"control to controls=[…], or choose others{near(branch, branches) or '.'}"
                    )
        if self.replicates < 1:
            raise BadRequest(f"replicates={self.replicates} trains nothing: 1 or more.")
        choice("engine", self.engine, ENGINES)
        if self.hardware.devices != 1 and self.engine in ("stacked", "sparse", "slim"):
            raise BadRequest(
                f"engine={self.engine} is impossible where several hardware.devices share a batch, which is that of one replicate: choose "
                "engine=auto."
            )
        for control in self.controls:
            check_levels(f"controls.{control.name}.levels", control.levels, 1, self.schedule.levels)
            if control.needs_weights and not self.rewind.goes_back:
                raise BadRequest(
                    f"controls=[{control.name}] starts from the weights of the rewinding point, which rewind.to={self.rewind.to} "
                    "does not go back to: drop this control, or choose rewind=weights."
                )
