"""A request, read and checked: what changes a number (identity) apart from what does not (device, workers, store)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lotto.data.facts import Facts, steps_per_epoch
from lotto.energy import EnergySpec
from lotto.errors import BadRequest
from lotto.fields import (
    check_levels,
    choice,
    flag,
    fraction,
    levels_of,
    list_of,
    near,
    not_negative,
    nothing_left,
    positive,
    section,
    whole,
)
from lotto.lengths import Length
from lotto.pruning.allocate import Rule
from lotto.pruning.scoring import Scoring
from lotto.schedule import Schedule
from lotto.starts.checkpoint import Checkpoint
from lotto.starts.source import Source
from lotto.structures.request import Structure
from lotto.training.loss_names import CROSS_ENTROPY, LOSSES
from lotto.training.lr import SHAPES

if TYPE_CHECKING:
    from lotto.recipe import Entry


@dataclass(frozen=True)
class TrainSpec:
    """How a network is trained. Lengths are in optimizer steps."""

    steps: int
    steps_per_epoch: int
    batch_size: int
    lr: float
    optimizer: Mapping[str, Any]
    lr_schedule: Mapping[str, Any]
    evaluate_every: int
    warmup: int = 0
    weight_decay: float = 0.0
    drop_last: bool = False
    label_smoothing: float = 0.0
    loss: str = CROSS_ENTROPY

    @classmethod
    def read(cls, config: Mapping[str, Any], data: Facts, own: str = "train") -> TrainSpec:
        """Read the ``train`` section, or another that holds the same settings and is called ``own``.

        Raises:
            BadRequest: a field is unknown or out of its range.
        """
        config = section(own, config, ("steps", "batch_size", "lr", "optimizer", "lr_schedule", "evaluate_every"))
        written = config.pop("batch_size")  # null: the whole training set
        batch_size = data.train if written is None else whole(f"{own}.batch_size", written, 1)
        drop_last = flag(f"{own}.drop_last", config.pop("drop_last", False))
        per_epoch = steps_per_epoch(data.train, batch_size, drop_last)

        def length(name: str, value: object, least: int) -> int:
            steps = Length.parse(value, f"{own}.{name}").steps(per_epoch)
            if steps < least:
                raise BadRequest(f"{own}.{name}={value} is too short: {least} iteration(s) at least.")
            return steps

        steps = length("steps", config.pop("steps"), 1)
        optimizer = config.pop("optimizer")
        if not isinstance(optimizer, Mapping) or "_target_" not in optimizer:
            raise BadRequest(
                f"{own}.optimizer={optimizer} names no optimizer: give train/optimizer=adam|sgd|… or a _target_."
            )
        for name in ("lr", "weight_decay"):
            if name in optimizer:
                raise BadRequest(
                    f"{own}.optimizer.{name}={optimizer[name]} would change nothing: give {own}.{name} instead."
                )
        return cls(
            steps=steps,
            steps_per_epoch=per_epoch,
            batch_size=batch_size,
            lr=positive(f"{own}.lr", config.pop("lr")),
            optimizer=dict(optimizer),
            lr_schedule=_lr_schedule(f"{own}.lr_schedule", config.pop("lr_schedule"), length, steps),
            evaluate_every=length("evaluate_every", config.pop("evaluate_every"), 1),
            warmup=length("warmup", config.pop("warmup", 0), 0),
            weight_decay=not_negative(f"{own}.weight_decay", config.pop("weight_decay", 0.0)),
            drop_last=drop_last,
            label_smoothing=fraction(f"{own}.label_smoothing", config.pop("label_smoothing", 0.0)),
            loss=choice(f"{own}.loss", config.pop("loss", CROSS_ENTROPY), LOSSES),
            **nothing_left(own, config),
        )


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


@dataclass(frozen=True)
class ControlSpec:
    """A control by name.

    Args:
        config: the function that makes it (``_target_``) and its options.
        samples: how many are drawn per ticket.
        needs_weights: whether it starts from the unpruned weights of the rewinding point.
        levels: those at which it is made; None for all.
        needs_scores: whether it is made of the mask that keeps the lowest scores.
    """

    name: str
    config: Mapping[str, Any]
    samples: int
    needs_weights: bool
    levels: tuple[int, ...] | None = None
    needs_scores: bool = False

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any]) -> ControlSpec:
        config = section(f"controls.{name}", config, ("_target_", "needs_weights"))
        return cls(
            name=name,
            samples=whole(f"controls.{name}.samples", config.pop("samples", 1), 1),
            needs_weights=flag(f"controls.{name}.needs_weights", config.pop("needs_weights")),
            levels=levels_of(f"controls.{name}.levels", config.pop("levels", None)),
            needs_scores=flag(f"controls.{name}.needs_scores", config.pop("needs_scores", False)),
            config=config,
        )

    def at(self, level: int) -> bool:
        """Whether the tickets of ``level`` have this control."""
        return self.levels is None or level in self.levels


@dataclass(frozen=True)
class ProbeSpec:
    """A probe by name.

    Args:
        config: the function that reads (``_target_``) and its options: the probe's identity.
        networks: the roles that it looks at (``lotto.probes.planning``).
        copies: how often the network is trained again with other noise, for roles ``copy1``, ``copy2``, ….
        across: whether it compares replicates: the roles are then those of two of them.
        files: tickets or other weights to look at beside them, with the roles ``file1``, ``file2``, ….
        branches: those it looks at; None for all.
        levels: those it looks at; None for all.
        steps: of the same training, before its end, for roles ``step0``, ``step300``, …: the network is stored there.
    """

    name: str
    config: Mapping[str, Any]
    networks: tuple[str, ...]
    copies: int
    across: bool
    data: bool
    branches: tuple[str, ...] | None
    levels: tuple[int, ...] | None
    files: tuple[Checkpoint, ...] = ()
    steps: tuple[int, ...] = ()

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any], train: TrainSpec) -> ProbeSpec:
        from lotto.probes.planning import check_role

        own = f"probes.{name}"
        config = section(own, config, ("_target_", "networks", "data", "branches"))
        files = [str(path) for path in list_of(f"{own}.files", config.pop("files", []))]
        across = flag(f"{own}.across", config.pop("across", False))
        if files and across:
            raise BadRequest(
                f"{own}.files={files} is impossible where replicates are compared: give {own}.across=false."
            )
        branches, steps = config.pop("branches"), list_of(f"{own}.steps", config.pop("steps", []))
        return cls(
            name=name,
            networks=tuple(
                check_role(f"{own}.networks", role) for role in list_of(f"{own}.networks", config.pop("networks"))
            ),
            copies=whole(f"{own}.copies", config.pop("copies", 0), 0),
            across=across,
            files=tuple(Checkpoint(path=path, field=f"{own}.files") for path in files),
            data=flag(f"{own}.data", config.pop("data")),
            branches=None if branches is None else tuple(map(str, list_of(f"{own}.branches", branches))),
            levels=levels_of(f"{own}.levels", config.pop("levels", None)),
            steps=tuple(sorted({step_before_the_end(f"{own}.steps", step, train) for step in steps})),
            config=config,
        )

    def reads(self, entry: Entry) -> bool:
        """Whether it looks at this row."""
        return (self.branches is None or entry.branch in self.branches) and (
            self.levels is None or entry.level in self.levels
        )


@dataclass(frozen=True)
class HardwareSpec:
    """Where and how fast: of all this only ``precision`` changes a number beyond rounding.

    Args:
        devices: processes, each with a device, that share every batch; None for as many as there are GPUs here, or as torchrun started.
        energy: what is measured of power, and what follows from it.
    """

    accelerator: str = "auto"
    precision: str = "32"
    threads: int | None = None
    deterministic: bool = False
    compile: bool = False
    graph: bool = True
    checkpoint_every: float = 60.0
    devices: int | None = 1
    energy: EnergySpec = dataclasses.field(default_factory=EnergySpec)

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> HardwareSpec:
        config = section("hardware", config, ("accelerator", "precision"))
        threads = config.pop("threads", None)
        devices = config.pop("devices", 1)
        made = cls(
            accelerator=choice("hardware.accelerator", config.pop("accelerator"), ("auto", "cpu", "gpu")),
            precision=choice("hardware.precision", str(config.pop("precision")), ("32", "tf32", "bf16", "64")),
            threads=None if threads is None else whole("hardware.threads", threads, 1),
            deterministic=flag("hardware.deterministic", config.pop("deterministic", False)),
            compile=flag("hardware.compile", config.pop("compile", False)),
            graph=flag("hardware.graph", config.pop("graph", True)),
            checkpoint_every=not_negative("hardware.checkpoint_every", config.pop("checkpoint_every", 60.0)),
            devices=None if devices == "auto" else whole("hardware.devices", devices, 1),
            energy=EnergySpec.taken_from(config),
            **nothing_left("hardware", config),
        )
        if made.compile and made.devices != 1:
            raise BadRequest(
                "hardware.compile=true takes a network for one process: leave it false where hardware.devices are several."
            )
        return made


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


def step_before_the_end(field: str, written: object, train: TrainSpec) -> int:
    """A length as a step of the training, its end excluded; ``field`` is named in the sentence that refuses it."""
    step = Length.parse(written, field).steps(train.steps_per_epoch)
    if step >= train.steps:
        raise BadRequest(
            f"{field}={written} is step {step}, not before the end of training: train.steps comes to {train.steps}."
        )
    return step


def _lr_schedule(
    own: str, config: Mapping[str, Any], length: Callable[[str, object, int], int], steps: int
) -> dict[str, Any]:
    config = section(own, config, ("name",))
    name = choice(f"{own}.name", config.pop("name"), SHAPES)
    made: dict[str, Any] = {"name": name}
    if name == "step":
        section(own, config, ("milestones", "gamma"))
        listed = list_of(f"{own}.milestones", config.pop("milestones"))
        milestones = [length("lr_schedule.milestones", written, 1) for written in listed]
        if milestones != sorted(set(milestones)):
            raise BadRequest(f"{own}.milestones={milestones} must rise from one to the next.")
        made |= {"milestones": milestones, "gamma": positive(f"{own}.gamma", config.pop("gamma"))}
    elif name in ("linear", "cosine"):
        made |= {"final": not_negative(f"{own}.final", config.pop("final", 0.0)), "steps": steps}
    nothing_left(own, config)
    return made
