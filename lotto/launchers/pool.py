"""Jobs on the slots of this machine: a fresh process each, begun again when it dies, ended with this one."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from lotto.errors import TERMINATED, LottoError, StageFailed
from lotto.launchers.command import Command, died, end_group
from lotto.launchers.slots import Slot
from lotto.launchers.tell import Tell

POLL_SECONDS = 0.1
GRACE_SECONDS = 30.0
"""What a job that is asked to end has to keep a checkpoint."""


@dataclass(frozen=True)
class _Running:
    command: Command
    attempt: int
    slot: Slot
    process: subprocess.Popen[bytes]
    since: float


def run_pool(commands: Sequence[Command], slots: Sequence[Slot], retries: int) -> list[LottoError]:
    """Run all commands, one at a time on every slot.

    Args:
        retries: how many times a command that dies is started again; it goes on from what it has stored.

    Returns:
        The failures.
    """
    tell = Tell(len(commands), _words(slots))
    waiting = deque((command, 0) for command in commands)
    free = deque(slots)
    running: list[_Running] = []
    failures: list[LottoError] = []

    def end(command: Command, failure: LottoError | None, seconds: float) -> None:
        tell.ended(command, failure, seconds)
        if failure:
            failures.append(failure)

    with _ended_by_sigterm(), _none_left(running):
        while waiting or running:
            while waiting and free:
                command, attempt = waiting.popleft()
                try:
                    process = command.start(free[0].environment, attempt)
                except OSError as reason:
                    end(command, StageFailed(f"{command} could not be started: {reason}."), 0.0)
                    continue
                running.append(_Running(command, attempt, free.popleft(), process, time.monotonic()))
                tell.started(command, str(running[-1].slot))
            time.sleep(POLL_SECONDS)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                free.append(job.slot)
                end_group(job.process)
                status = job.process.returncode
                failure = job.command.failure(status)
                if failure and died(status) and job.attempt < retries:
                    tell.again(job.command, failure)
                    waiting.appendleft((job.command, job.attempt + 1))
                else:
                    end(job.command, failure, time.monotonic() - job.since)
            tell.look(job.command for job in running)
    tell.finished()
    return failures


@contextmanager
def _none_left(running: list[_Running]) -> Iterator[None]:
    """Whatever ends the pool ends its jobs: they are asked to, and killed if they do not, or if they are to end a second time."""
    try:
        yield
    finally:
        try:
            for job in running:
                job.process.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
            while time.monotonic() < deadline and any(job.process.poll() is None for job in running):
                time.sleep(POLL_SECONDS)
        finally:
            for job in running:
                end_group(job.process)
                job.process.wait()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM would end this process at once, without a word and before its jobs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _words(slots: Sequence[Slot]) -> str:
    each = f", {slots[0].threads} thread{'s' if slots[0].threads > 1 else ''} each" if slots[0].threads else ""
    names = {str(slot): None for slot in slots}
    return f"{len(slots)} slot{'s' if len(slots) > 1 else ''} ({', '.join(names)}{each})"
