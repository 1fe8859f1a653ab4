"""The time from the start of a process to its first training step, as whoever types ``lotto`` waits for it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lotto.errors import StageFailed
from lotto.store import Store

TRIES = 3
# The main job, cut short behind its first steps.
_TINY = ("train.steps=2it", "train.evaluate_every=2it", "replicates=1", "schedule.levels=1", "controls=[]")


def seconds_to_first_step(folder: Path, overrides: Sequence[str]) -> float:
    """Run a small experiment in a process of its own, which writes into the new ``folder``.

    Raises:
        StageFailed: it did not come to its end.
    """
    folder.mkdir()
    command = [sys.executable, "-m", "lotto", *_TINY, *overrides]
    began = time.time()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise StageFailed(f"A run started as its own process ended with status {done.returncode}: {last}")
    store = Store(folder / "outputs" / "store")
    trainings = [record for record in map(store.record, store.artifacts()) if record["kind"] == "train"]
    return min(record["times"]["first_step"] for record in trainings) - began
