"""Jobs on the machines of a Ray cluster, or on this one: a fresh process each, begun again when it or its machine dies."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest, LottoError, StageFailed
from lotto.launchers.command import Command, died, end_group
from lotto.launchers.tell import Tell

if TYPE_CHECKING:
    from types import ModuleType

POLL_SECONDS = 1.0


def run_on_ray(
    commands: Sequence[Command],
    address: str | None,
    gpus: float | None,
    cpus: float,
    retries: int,
    init: Mapping[str, Any],
) -> list[LottoError]:
    """Run all commands, as many at a time as there are GPUs and cores for.

    Args:
        address: of the cluster to join; None starts Ray here, to end with this process.
        gpus: per command; None: 1 where the cluster has any.
        cpus: per command.
        retries: how many times a command that dies is started again; it goes on from what it has stored.
        init: further arguments of ``ray.init``.

    Returns:
        The failures.
    """
    ray = _imported()
    failures: list[LottoError] = []
    with _connected(ray, address, init):
        there = {name: float(ray.cluster_resources().get(name, 0)) for name in ("GPU", "CPU")}
        each = {"GPU": float(there["GPU"] > 0) if gpus is None else float(gpus), "CPU": float(cpus)}
        if address is None:
            _check_room(each, there)
        tell = Tell(len(commands), f"Ray ({there['GPU']:g} GPUs, {there['CPU']:g} cores)")
        # Ray would start a lost task again without a word; here that is said, and counted with the commands that die.
        remote = ray.remote(num_gpus=each["GPU"], num_cpus=each["CPU"], max_retries=0, max_calls=1)(_run)
        here = str(Path.cwd())
        running = {remote.remote(command, 0, here): (command, 0) for command in commands}
        while running:
            for task in ray.wait(list(running), timeout=POLL_SECONDS)[0]:
                command, attempt = running.pop(task)
                failure, dead, seconds = _ended(ray, task, command)
                if failure and dead and attempt < retries:
                    tell.again(command, failure)
                    running[remote.remote(command, attempt + 1, here)] = command, attempt + 1
                    continue
                tell.ended(command, failure, seconds)
                failures += [failure] if failure else []
        tell.finished()
    return failures


def _run(command: Command, attempt: int, folder: str) -> tuple[int, float]:
    """In a worker of Ray's, which has set CUDA_VISIBLE_DEVICES: the exit status and the seconds that it took."""
    os.chdir(folder)
    began = time.monotonic()
    process = command.start({}, attempt)
    try:
        return process.wait(), time.monotonic() - began
    finally:
        end_group(process)


def _ended(ray: ModuleType, task: Any, command: Command) -> tuple[LottoError | None, bool, float]:
    """Why it failed, if it did; whether it died; and the seconds that it took."""
    try:
        status, seconds = ray.get(task)
    except ray.exceptions.RayError as reason:
        return StageFailed(f"{command} was lost by Ray: {str(reason).strip().splitlines()[0]}"), True, 0.0
    return command.failure(status), died(status), seconds


def _imported() -> ModuleType:
    # It would report the use of it to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise BadRequest(
            "hydra/launcher=lotto_ray needs Ray, which is not installed: pip install 'lotto[ray]'."
        ) from None
    return ray


@contextmanager
def _connected(ray: ModuleType, address: str | None, init: Mapping[str, Any]) -> Iterator[None]:
    if ray.is_initialized():
        yield  # by the program that lotto is used in
        return
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        # "local": without it Ray joins a cluster that it finds running here.
        ray.init(address=address or "local", **{**quiet, **init})
    except (ConnectionError, ValueError, RuntimeError, TypeError) as reason:
        said = str(reason).strip().splitlines()
        raise BadRequest(
            f"hydra.launcher.address={address} cannot be reached, or refuses hydra.launcher.init: {said[0] if said else reason!r}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_room(each: Mapping[str, float], there: Mapping[str, float]) -> None:
    """Ray would wait for a machine that is large enough."""
    for name, setting in (("GPU", "gpus"), ("CPU", "cpus")):
        if each[name] > there[name]:
            raise BadRequest(
                f"hydra.launcher.{setting}={each[name]:g} is more than this machine has: {there[name]:g} at most."
            )
