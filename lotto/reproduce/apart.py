"""Timing in a process of its own: a network that brings a library down, as some convolutions do, ends no listing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from lotto.errors import LottoError


class Timer:
    """Times figures one after another in a second process, which is started anew where it was brought down."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def about(
        self, figure: str, scale: str, overrides: Sequence[str], config_dir: str | None
    ) -> tuple[float | None, str]:
        """Seconds, or None and why they are not known."""
        self._pool = self._pool or ProcessPoolExecutor(1, get_context("spawn"))
        try:
            return self._pool.submit(timed, figure, scale, tuple(overrides), config_dir).result()
        except BrokenProcessPool:
            self.close()
            return None, "not timed: the network brought the process down that timed it"

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None


def timed(figure: str, scale: str, overrides: tuple[str, ...], config_dir: str | None) -> tuple[float | None, str]:
    """What the second process does."""
    from lotto.reproduce.figure import Figure
    from lotto.reproduce.pace import about
    from lotto.reproduce.request import Request
    from lotto.store import Store

    planned = Request(scale, overrides, ()).planned(Figure.read(figure), config_dir)
    try:
        return about(planned, Store(planned.spec.store)), ""
    except LottoError as reason:
        return None, f"not timed: {reason}"
    except Exception as reason:
        # Whatever a network does when it is tried out: the listing is still good.
        return None, f"not timed: {type(reason).__name__}"
