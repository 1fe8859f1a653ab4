"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from lotto.errors import BadRequest
from lotto.request.hardware import HardwareSpec
from lotto.versions import versions


def training_device(hardware: HardwareSpec) -> torch.device:
    """Where everybody trains.

    Raises:
        BadRequest: a GPU is asked for, and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if hardware.accelerator == "gpu" and not has_gpu:
        raise BadRequest("hardware=gpu asks for a GPU, and PyTorch finds none here: choose hardware=cpu or auto.")
    return torch.device("cuda", 0) if has_gpu and hardware.accelerator != "cpu" else torch.device("cpu")


def machine_facts(hardware: HardwareSpec, device: torch.device) -> dict[str, Any]:
    """Everything about this machine that a figure should not be quoted without."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": hardware.threads or torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "device": str(device),
        "precision": hardware.precision,
        "versions": versions(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
