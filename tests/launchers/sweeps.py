"""Sweeps of tiny experiments through a launcher, and what they leave behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.e2e import TINY, Said, results, start

POINTS = ("method=imp,one_shot", "seed=0,1")
UNTIMED = ("wall_seconds", "cached")


class Sweep:
    """One in a folder, and so on a store, of its own."""

    def __init__(self, folder: Path, *overrides: str, base: Sequence[str] = TINY, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.overrides = (*base, *overrides)
        self.environment = environment

    @property
    def store(self) -> Path:
        return self.folder / "outputs" / "store"

    def start(self) -> subprocess.Popen[str]:
        return start(self.folder, ["-m", *self.overrides], **self.environment)

    def run(self, timeout: float = 150) -> Said:
        process = self.start()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{out}\n{err}") from None
        return Said(process.returncode, out, err)

    def results(self) -> dict[str, list[dict[str, str]]]:
        """What every point's results.csv says, timings and what was found in the store apart."""
        return {path.parent.name: results(path.parent, *UNTIMED) for path in self.folder.glob("outputs/**/results.csv")}

    def said_by_jobs(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("outputs/**/output.log"))


def steps_trained(said: str) -> int:
    """By all jobs together."""
    return sum(
        int(found.replace(",", "")) for found in re.findall(r"^([\d,]+) training steps run in", said, re.MULTILINE)
    )


def lines(said: Sequence[str], start: str) -> list[str]:
    return [line for line in said if line.startswith(start)]
