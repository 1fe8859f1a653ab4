"""The ``hardware`` section."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lotto.energy import EnergySpec
from lotto.errors import BadRequest
from lotto.fields import choice, flag, not_negative, nothing_left, section, whole


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
