"""One GPU for each of several processes that see them all: who holds a GPU's lock in the store has the GPU."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lotto.launchers.slots import VISIBLE, visible_devices
from lotto.locks import Locks

POLL_SECONDS = 0.5

# Those that this process may run on: after its first job the one of that, which PyTorch then sticks to.
_eligible: list[str] | None = None


@contextmanager
def leased_device(store: str, accelerator: str) -> Iterator[None]:
    """Inside, this process sees one GPU that no other lease on the store has; waits for one. To be entered before PyTorch is loaded.

    There is nothing to share out where the job uses no GPU, where one at most is visible, or where Slurm has given the job its own.
    """
    global _eligible
    if _eligible is None:
        devices = visible_devices()
        _eligible = devices if len(devices) > 1 and os.environ.get("SUBMITIT_EXECUTOR") != "slurm" else []
    if not _eligible or accelerator == "cpu":
        yield
        return
    with Locks(Path(store)).beating() as locks:
        device = _first_free(locks, _eligible)
        _eligible = [device]
        os.environ[VISIBLE] = device
        yield


def _first_free(locks: Locks, devices: list[str]) -> str:
    host = socket.gethostname()
    while True:
        for device in devices:
            if locks.take({f"device-{host}-{device}"}):
                return device
        time.sleep(POLL_SECONDS)
