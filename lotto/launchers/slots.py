"""What the jobs of this machine run on: devices and threads, found without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lotto.errors import BadRequest

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Slot:
    """Room for one job at a time.

    Args:
        devices: the GPUs that the job sees, as in CUDA_VISIBLE_DEVICES; empty for none.
        threads: of the CPU; None leaves it to the environment.
    """

    devices: str
    threads: int | None

    def __str__(self) -> str:
        return f"GPU {self.devices}" if self.devices else "the CPU"

    @property
    def environment(self) -> dict[str, str]:
        threads = {} if self.threads is None else {"OMP_NUM_THREADS": str(self.threads)}
        return {VISIBLE: self.devices, **threads}


def slots_of(setting: object, threads: int | None, accelerator: str = "auto") -> list[Slot]:
    """The slots that ``hydra.launcher.slots`` asks for.

    Args:
        setting: devices slot by slot, a number of slots without a device, or None: one for each visible GPU, and where there is none
            one for every two cores.
        accelerator: of ``hardware``; on ``cpu`` no GPU is counted.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    devices = _asked(setting)
    if devices is None:
        devices = ([] if accelerator == "cpu" else visible_devices()) or [""] * max(1, cores // 2)
    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        threads = max(1, cores // len(devices))
    return [Slot(device, threads) for device in devices]


def visible_devices() -> list[str]:
    """The GPUs that CUDA would show to this process, by the names that CUDA_VISIBLE_DEVICES has for them."""
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return [str(index) for index, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    names = [name.strip() for name in visible.split(",")]
    # CUDA reads up to the first name that is none.
    end = next((place for place, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), len(names))
    return names[:end]


def _asked(setting: object) -> list[str] | None:
    if setting is None:
        return None
    if isinstance(setting, int) and not isinstance(setting, bool) and setting > 0:
        return [""] * setting
    if isinstance(setting, Sequence) and not isinstance(setting, str) and setting:
        return [_devices(slot, setting) for slot in setting]
    raise _refused(setting)


def _devices(slot: object, setting: object) -> str:
    if isinstance(slot, Sequence) and not isinstance(slot, str) and slot:
        return ",".join(_devices(device, setting) for device in slot)
    if isinstance(slot, bool) or not isinstance(slot, int | str) or not str(slot).strip():
        raise _refused(setting)
    return str(slot).replace(" ", "")


def _refused(setting: object) -> BadRequest:
    return BadRequest(
        f"hydra.launcher.slots={setting} is no list of slots: a number of them, or their GPUs such as [0,1] or [[0,1],[2,3]]."
    )
