"""One job of a sweep as a command of its own, and what became of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lotto.errors import BadRequest, LottoError, StageFailed
from lotto.launchers.driver import naming_driver

_LOTTO = (sys.executable, "-m", "lotto")
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Command:
    """``lotto`` with the arguments of one job.

    Args:
        number: of the job in the sweep.
        title: what tells it from the others, in words.
        folder: of its results; what it says is written there too.
    """

    number: int
    title: str
    arguments: tuple[str, ...]
    folder: Path
    program: tuple[str, ...] = _LOTTO

    def __str__(self) -> str:
        return f"job {self.number} ({self.title})" if self.title else f"job {self.number}"

    @property
    def log(self) -> Path:
        return self.folder / "output.log"

    def start(self, environment: Mapping[str, str], attempt: int) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own: an interrupt from the keyboard is for whoever started it, who ends it in order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab" if attempt else "wb") as log:
            return subprocess.Popen(
                [*self.program, *self.arguments],
                env={**os.environ, **environment, **naming_driver()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def last_line(self) -> str:
        """The last that it said."""
        lines = self._tail()
        return lines[-1] if lines else ""

    def failure(self, status: int) -> LottoError | None:
        """Why it failed, None if it did not: with status 1 or 2 it has said so itself, any other it did not choose."""
        if status == 0:
            return None
        if died(status):
            return StageFailed(f"{self} {_death(status)} ({self.log}).")
        said = [line.removeprefix("lotto: ") for line in self._tail() if line.startswith("lotto: ")]
        sentence = said[-1] if said else self.last_line() or "it said nothing."
        return (BadRequest if status == BadRequest.exit_status else StageFailed)(f"{self}: {sentence}")

    def _tail(self) -> list[str]:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            return []


def died(status: int) -> bool:
    """Whether a command with this exit status was ended by something else than itself, and may do better a second time."""
    return status not in (0, StageFailed.exit_status, BadRequest.exit_status)


def _death(status: int) -> str:
    number = -status if status < 0 else status - 128
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended with status {status}"


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a command and of the processes that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
