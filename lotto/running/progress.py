"""What is shown while a plan runs: level, branch, replicates, accuracy so far, speed and the time left."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Protocol

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

Clock = Callable[[], float]


class Progress(Protocol):
    """Told by a run what it does. One replicate taking one training step counts as one step."""

    def start(self, total_steps: int, cached_steps: int) -> None:
        """The plan has ``total_steps``, of which ``cached_steps`` are stored already and will not be run."""

    def stage(self, level: int, branch: str, replicates: int, steps: int) -> None:
        """A fit begins: each of ``replicates`` has ``steps`` left to take. The next fit, or ``finish``, ends it."""

    def advance(self, replicate_steps: int, accuracy: float | None) -> None:
        """All replicates together took ``replicate_steps`` more; ``accuracy`` is a fraction where one was measured."""

    def note(self, message: str) -> None:
        """Say ``message`` beside the progress."""

    def finish(self) -> None:
        """Nothing more will come, whether all was done or not."""


def make_progress(stream: IO[str] | None = None) -> Progress:
    """Bars in a terminal, lines elsewhere; on standard error unless given a stream, so that results can be piped."""
    stream = stream or sys.stderr
    return LiveProgress(stream) if stream.isatty() else PlainProgress(stream)


class QuietProgress:
    """Shows nothing."""

    def start(self, total_steps: int, cached_steps: int) -> None: ...

    def stage(self, level: int, branch: str, replicates: int, steps: int) -> None: ...

    def advance(self, replicate_steps: int, accuracy: float | None) -> None: ...

    def note(self, message: str) -> None: ...

    def finish(self) -> None: ...


class Pace:
    """Steps per second over the last while, and the time that the rest will take at that speed."""

    WINDOW = 60.0
    """Seconds looked back: long enough to even out evaluations, short enough to follow a change of stage."""

    def __init__(self, total: int, clock: Clock) -> None:
        self.total = total
        self.done = 0
        self._clock = clock
        self._seen = deque([(clock(), 0)])

    def advance(self, steps: int) -> None:
        """``steps`` more are done now."""
        now = self._clock()
        self.done += steps
        self._seen.append((now, self.done))
        # The newest sight older than the window stays, so that the whole window is covered.
        while len(self._seen) > 2 and self._seen[1][0] <= now - self.WINDOW:
            self._seen.popleft()

    @property
    def speed(self) -> float:
        """Steps per second, 0 before the first are done."""
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def __str__(self) -> str:
        speed = self.speed
        left = f"{duration((self.total - self.done) / speed)} left" if speed else "time left unknown"
        return f"{speed:,.0f} steps/s, {left}"


class Fit:
    """The fit that runs now: its name, how far it is and the last accuracy it measured."""

    def __init__(self, level: int, branch: str, replicates: int, steps: int, began: float) -> None:
        self.name = f"level {level} {branch}, {replicates} replicate{'s' if replicates > 1 else ''}"
        self.total = replicates * steps
        self.done = 0
        self.accuracy: float | None = None
        self.began = began

    def advance(self, replicate_steps: int, accuracy: float | None) -> None:
        """``replicate_steps`` more are done; an accuracy stays until the next is measured."""
        self.done += replicate_steps
        self.accuracy = self.accuracy if accuracy is None else accuracy

    def so_far(self) -> str:
        """The accuracy in words, with a comma before it; empty before the first."""
        return "" if self.accuracy is None else f", accuracy {100 * self.accuracy:.2f}%"

    def outcome(self, now: float) -> str:
        """How the fit ended."""
        took = duration(now - self.began)
        if self.done < self.total:
            return f"{self.name}: ended after {self.done:,} of {self.total:,} steps, {took}{self.so_far()}"
        return f"{self.name}: done in {took}{self.so_far()}"


class PlainProgress:
    """Lines for a log: one where a fit begins, one where it ends, at most one every ``every`` seconds between them."""

    def __init__(self, stream: IO[str], every: float = 10.0, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._every = every
        self._clock = clock
        self._pace = Pace(0, clock)
        self._fit: Fit | None = None
        self._last_line = clock()
        self._began = clock()

    def start(self, total_steps: int, cached_steps: int) -> None:
        self._began = self._clock()
        self._pace = Pace(total_steps - cached_steps, self._clock)
        self.note(opening(total_steps, cached_steps))

    def stage(self, level: int, branch: str, replicates: int, steps: int) -> None:
        self._end_fit()
        self._fit = Fit(level, branch, replicates, steps, self._clock())
        self.note(f"{self._fit.name}: {self._fit.total:,} steps")

    def advance(self, replicate_steps: int, accuracy: float | None) -> None:
        self._pace.advance(replicate_steps)
        if self._fit is None:
            return
        self._fit.advance(replicate_steps, accuracy)
        if self._clock() - self._last_line >= self._every and self._fit.done < self._fit.total:
            fit = self._fit
            self.note(f"{fit.name}: {fit.done:,} of {fit.total:,} steps{fit.so_far()}, {self._pace}")

    def note(self, message: str) -> None:
        self._last_line = self._clock()
        print(message, file=self._stream, flush=True)

    def finish(self) -> None:
        self._end_fit()
        self.note(closing(self._pace, self._clock() - self._began))

    def _end_fit(self) -> None:
        if self._fit is not None:
            left = f"; {self._pace}" if self._pace.done < self._pace.total else ""
            self.note(f"{self._fit.outcome(self._clock())}{left}")
        self._fit = None


class LiveProgress:
    """Two bars in a terminal: the plan and the fit that runs now. Finished fits stay above them as lines."""

    def __init__(self, stream: IO[str], clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace(0, clock)
        self._fit: Fit | None = None
        self._fit_bar: TaskID | None = None
        self._plan_bar: TaskID | None = None
        self._began = clock()
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[state]}", markup=False),
            console=Console(file=stream, highlight=False),
        )

    def start(self, total_steps: int, cached_steps: int) -> None:
        self._began = self._clock()
        self._pace = Pace(total_steps - cached_steps, self._clock)
        self._bars.start()
        self.note(opening(total_steps, cached_steps))
        self._plan_bar = self._bars.add_task("plan", total=total_steps, completed=cached_steps, state="")

    def stage(self, level: int, branch: str, replicates: int, steps: int) -> None:
        self._end_fit()
        self._fit = Fit(level, branch, replicates, steps, self._clock())
        self._fit_bar = self._bars.add_task(self._fit.name, total=self._fit.total, state="")

    def advance(self, replicate_steps: int, accuracy: float | None) -> None:
        self._pace.advance(replicate_steps)
        if self._plan_bar is not None:
            self._bars.update(self._plan_bar, advance=replicate_steps, state=str(self._pace))
        if self._fit is not None and self._fit_bar is not None:
            self._fit.advance(replicate_steps, accuracy)
            self._bars.update(self._fit_bar, advance=replicate_steps, state=self._fit.so_far().removeprefix(", "))

    def note(self, message: str) -> None:
        self._bars.console.print(message, markup=False)

    def finish(self) -> None:
        self._end_fit()
        self._bars.stop()
        self.note(closing(self._pace, self._clock() - self._began))

    def _end_fit(self) -> None:
        if self._fit is not None and self._fit_bar is not None:
            self._bars.remove_task(self._fit_bar)
            self.note(self._fit.outcome(self._clock()))
        self._fit = self._fit_bar = None


def opening(total_steps: int, cached_steps: int) -> str:
    """The first line of a run."""
    return f"{total_steps - cached_steps:,} training steps to run, {cached_steps:,} of {total_steps:,} stored already"


def closing(pace: Pace, seconds: float) -> str:
    """The last line of a run."""
    took = f"{pace.done:,} training steps in {duration(seconds)}"
    return took if pace.done >= pace.total else f"{took}, {pace.total - pace.done:,} planned steps not run"


def duration(seconds: float) -> str:
    """A time in the two units a reader needs: ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    left = round(seconds)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if left >= size:
            return f"{left // size} {unit} {left % size // part} {smaller}"
    return f"{left} s"
