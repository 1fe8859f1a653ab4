"""A job does not outlive the process that started it, however that ended."""

from __future__ import annotations

import ctypes
import os
import signal

from lotto.errors import TERMINATED

_DRIVER = "LOTTO_DRIVER"
# Of prctl(2).
_PR_SET_PDEATHSIG = 1


def naming_driver() -> dict[str, str]:
    """What a job's environment says of this process, which starts it."""
    return {_DRIVER: str(os.getpid())}


def follow_driver() -> None:
    """Have the kernel ask this process to end when the one that started it has ended, if that is a driver of jobs."""
    # Taken out: processes that this one starts are its own affair.
    driver = os.environ.pop(_DRIVER, None)
    if driver is None:
        return
    if prctl := getattr(ctypes.CDLL(None), "prctl", None):
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != int(driver):  # it ended before it could be followed
        raise SystemExit(TERMINATED)
