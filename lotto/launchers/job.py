"""What Hydra calls for every job, whatever launches it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from lotto.errors import LottoError
from lotto.launchers.lease import leased_device

if TYPE_CHECKING:
    from omegaconf import DictConfig


class Job:
    """Runs a job here, or as a copy in the process that a launcher chose.

    Here a failure is kept from Hydra, which would add paragraphs; and a point of a sweep that fails does not keep the others from
    running. A copy raises it: so it comes back.

    Args:
        run: what a job does.
        sweeps: whether there are other jobs.
    """

    def __init__(self, run: Callable[[DictConfig], None], sweeps: bool) -> None:
        self._run, self._sweeps = run, sweeps
        self._away = False
        self.failures: list[LottoError | OSError] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_away": True, "failures": []}

    def __call__(self, config: DictConfig) -> None:
        try:
            with leased_device(config.store, config.hardware.accelerator) if self._away else nullcontext():
                self._run(config)
        except (LottoError, OSError) as reason:
            if self._sweeps:
                print(f"lotto: {reason}", file=sys.stderr)
            if self._away:
                raise
            self.failures.append(reason)
