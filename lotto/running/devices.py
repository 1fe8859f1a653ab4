"""How many processes train one network together, and whether they can. Imports no torch for a single one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from lotto.errors import BadRequest

if TYPE_CHECKING:
    from lotto.spec import Spec


def follows() -> bool:
    """Whether this process was started to take part in the run of another, by torchrun or by Lightning."""
    return "WORLD_SIZE" in os.environ and int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0) > 0


def started_beside_others() -> int | None:
    """How many processes torchrun, or Lightning, started for this run; None if this is the only one."""
    return int(os.environ["WORLD_SIZE"]) if {"WORLD_SIZE", "LOCAL_RANK"} <= os.environ.keys() else None


def refuse_in_sweep(devices: object) -> None:
    """Raises BadRequest for a job of a multirun on several ``hardware.devices``."""
    if devices != 1:
        raise BadRequest(
            "hardware.devices above 1 is refused in this multirun, where processes of different jobs can pair without an error: choose "
            "hydra/launcher=lotto_pool with slots such as [[0,1],[2,3]], or run the points one by one, on one store."
        )


def with_devices_counted(spec: Spec) -> Spec:
    """The spec with the number of its devices.

    Raises:
        BadRequest: they are not there, or the batches are too small for them.
    """
    from hydra.core.hydra_config import HydraConfig

    asked, started = spec.hardware.devices, started_beside_others()
    if asked == 1:
        if started not in (None, 1):
            raise BadRequest(f"hardware.devices=1, but {started} processes were started: choose hardware=ddp.")
        return spec
    gpus = _gpus() if spec.hardware.accelerator != "cpu" else 0
    devices = asked or started or gpus
    if not devices:
        raise BadRequest("hardware.devices=auto finds no GPU here: say how many processes, such as hardware.devices=2.")
    if started is None and not HydraConfig.initialized():
        raise BadRequest(
            f"hardware.devices={devices} from Python: start the script with torchrun --nproc_per_node={devices}, or use the lotto command."
        )
    if started not in (None, devices):
        raise BadRequest(f"hardware.devices={devices}, but {started} processes were started: let the two agree.")
    if gpus and devices > gpus:
        raise BadRequest(f"hardware.devices={devices}, and PyTorch finds {gpus} GPU(s) here: choose {gpus} or fewer.")
    _check_batches(spec, devices)
    return replace(spec, hardware=replace(spec.hardware, devices=devices))


def _check_batches(spec: Spec, devices: int) -> None:
    train, size = spec.data.train, min(spec.train.batch_size, spec.data.train)
    smallest = {
        f"train.batch_size={spec.train.batch_size} makes batches of {size}": size,
        f"train.batch_size={spec.train.batch_size} leaves {train % size} at the end of an epoch (train.drop_last=true leaves it out)": size
        if spec.train.drop_last
        else train % size or size,
        f"data.validation={spec.data.validation}": spec.data.validation or devices,
        f"the test set has {spec.data.test}": spec.data.test or devices,
    }
    for words, examples in smallest.items():
        if examples < devices:
            raise BadRequest(f"hardware.devices={devices} cannot share fewer examples: {words}.")


def _gpus() -> int:
    from lotto.running.loading import collector_paused

    with collector_paused():
        import torch

    return torch.cuda.device_count()
