"""The ``train`` section: how a network is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lotto.data.facts import Facts, steps_per_epoch
from lotto.errors import BadRequest
from lotto.fields import choice, flag, fraction, list_of, not_negative, nothing_left, positive, section, whole
from lotto.lengths import Length
from lotto.training.loss_names import CROSS_ENTROPY, LOSSES
from lotto.training.lr import SHAPES


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
