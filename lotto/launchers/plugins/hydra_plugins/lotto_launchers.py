"""The launchers as Hydra wants them. Their settings stand in ``conf/hydra/launcher``; the work is done in ``lotto.launchers``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from lotto.errors import LottoError
    from lotto.launchers.command import Command


class _CommandLauncher(Launcher):
    """Runs every job as a command of its own.

    Failures go to lotto's job function and not to Hydra, whose sweeper would end the sweep at the first of them.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.job, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from lotto.launchers.hydra_jobs import commands_of, nothing_returned

        commands = commands_of(self.hydra_context, self.config, job_overrides, initial_job_idx)
        self.job.failures.extend(self.run_all(commands))  # type: ignore[attr-defined]
        return [nothing_returned(list(overrides)) for overrides in job_overrides]

    def run_all(self, commands: Sequence[Command]) -> Sequence[LottoError]:
        raise NotImplementedError


class PoolLauncher(_CommandLauncher):
    """``hydra/launcher=lotto_pool``."""

    def __init__(self, slots: Any = None, threads: int | None = None, retries: int = 2) -> None:
        self.slots, self.threads, self.retries = slots, threads, retries

    def run_all(self, commands: Sequence[Command]) -> Sequence[LottoError]:
        from lotto.launchers.pool import run_pool
        from lotto.launchers.settings import whole, whole_or_none
        from lotto.launchers.slots import slots_of

        slots = slots_of(self.slots, whole_or_none("threads", self.threads, 1), self.config.hardware.accelerator)
        return run_pool(commands, slots, whole("retries", self.retries, 0))


class RayLauncher(_CommandLauncher):
    """``hydra/launcher=lotto_ray``."""

    def __init__(
        self,
        address: str | None = None,
        gpus: float | None = None,
        cpus: float = 1,
        retries: int = 2,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        self.address, self.gpus, self.cpus, self.retries, self.init = address, gpus, cpus, retries, dict(init or {})

    def run_all(self, commands: Sequence[Command]) -> Sequence[LottoError]:
        from lotto.launchers.on_ray import run_on_ray
        from lotto.launchers.settings import number, whole

        gpus = None if self.gpus is None else number("gpus", self.gpus)
        retries = whole("retries", self.retries, 0)
        return run_on_ray(commands, self.address, gpus, number("cpus", self.cpus), retries, self.init)


LAUNCHERS = (PoolLauncher, RayLauncher)
