"""Requests to leave that reach a process in mid-training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning

from lotto.errors import TERMINATED

# What clusters send ahead of a kill: submitit's signal is the second, Lightning's the first, and everybody's the last.
_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
_SIGNALS = (*_WARNINGS, signal.SIGTERM)


class Requests(lightning.Callback):
    """Signals that ask to leave: kept until a checkpoint is safe, then handed to who would have had them.

    That one may put the job back into a queue and end the process, or think nothing of it: then training goes on.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._earlier: dict[int, Any] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._came)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside, signals wait for ``hand_on``; those that are still waiting are handed on in the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        # Who ignores a signal goes on ignoring it; None is a handler that is not Python's, and could not be put back.
        self._earlier = {number: was for number, was in handlers.items() if was not in (signal.SIG_IGN, None)}
        self._listen()
        try:
            yield
        finally:
            for number, handler in self._earlier.items():
                signal.signal(number, handler)
            self.hand_on()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Lightning has just set a handler for SIGTERM that ends a fit without a checkpoint."""
        self._listen()

    def hand_on(self) -> None:
        """Give the signals that came to their earlier handlers.

        Raises:
            SystemExit: where there was none, and the signal would have ended the process.
        """
        while self._came:
            number = self._came.pop(0)
            handler = self._handler(number)
            if not callable(handler):
                raise SystemExit(TERMINATED)
            handler(number, None)

    def _handler(self, number: int) -> Any:
        """Either warning goes to the handler of the other if it has none of its own: schedulers differ in which they send."""
        candidates = [number, *(_WARNINGS if number in _WARNINGS else ())]
        return next((self._earlier[n] for n in candidates if callable(self._earlier.get(n))), None)

    def _listen(self) -> None:
        for number in self._earlier:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
