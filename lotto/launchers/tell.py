"""What a sweep says in the terminal while its jobs write into files of their own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from lotto.errors import LottoError
from lotto.launchers.command import Command
from lotto.running.progress import duration

EVERY = 30.0
"""Seconds between looks at the jobs that run."""


class Tell:
    """One line where a job starts and ends, and now and then the last line of every job that runs."""

    def __init__(self, jobs: int, where: str) -> None:
        self._jobs, self._done, self._failed, self._again = jobs, 0, 0, 0
        self._began = self._looked = time.monotonic()
        self._say(f"{jobs} job{'s' if jobs > 1 else ''} on {where}; what a job says is in output.log of its folder")

    def started(self, command: Command, where: str) -> None:
        self._say(f"{command}: started on {where}")

    def again(self, command: Command, reason: LottoError) -> None:
        """It died and will be started again."""
        self._again += 1
        self._say(f"{reason} It is started again.")

    def ended(self, command: Command, failure: LottoError | None, seconds: float) -> None:
        self._done += failure is None
        self._failed += failure is not None
        if failure:
            print(f"lotto: {failure}", file=sys.stderr, flush=True)
        else:
            self._say(f"{command}: done in {duration(seconds)}; {self._counts()}")

    def look(self, running: Iterable[Command]) -> None:
        """At most once in a while."""
        if time.monotonic() - self._looked < EVERY:
            return
        self._looked = time.monotonic()
        for command in running:
            self._say(f"{command}: {command.last_line()}")
        self._say(self._counts())

    def finished(self) -> None:
        again = f", {self._again} started again" if self._again else ""
        self._say(f"{self._counts()}{again}, in {duration(time.monotonic() - self._began)}")

    def _counts(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} of {self._jobs} jobs done{failed}"

    def _say(self, line: str) -> None:
        print(line, flush=True)
