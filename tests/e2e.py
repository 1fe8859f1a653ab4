"""The command line as a user meets it: ``main`` in this process or in one of its own, and what a run leaves behind."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lotto.cli import main

TINY = (
    "model.plan=[20,12]",
    "train.steps=60it",
    "train.evaluate_every=15it",
    "replicates=2",
    "schedule.levels=3",
    "controls=[reinit]",
)

# The contract's columns of results.csv, in its order.
CONTRACT = [
    *(
        "experiment",
        "method",
        "criterion",
        "branch",
        "replicate",
        "level",
        "density",
        "weights_remaining",
        "weights_total",
    ),
    *("early_stop_step", "val_loss_min", "test_accuracy_early_stop", "test_accuracy", "train_steps", "wall_seconds"),
    *("cached", "key"),
]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]


class Shell:
    """Calls lotto in this process, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capfd = folder, monkeypatch, capfd
        monkeypatch.chdir(folder)
        # What a call changes for its whole process is undone.
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def __call__(self, *arguments: str) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["lotto", *arguments])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as exit:
            main()
        return Said(int(exit.value.code or 0), *self._capfd.readouterr())


def start(folder: Path, arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """``python -m lotto`` in a process of its own, in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "lotto", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(folder: Path, *without: str) -> list[dict[str, str]]:
    """The rows of ``results.csv`` as they are written, but for the columns ``without``."""
    with (folder / "results.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name not in without} for row in csv.DictReader(file)]


def steps_planned(said: str) -> int:
    """S of the last line of ``lotto plan``."""
    found = re.fullmatch(r"\d+ stages, \d+ cached, (\d+) training steps to run", said.strip().splitlines()[-1])
    assert found, said
    return int(found[1])


def steps_run(said: str) -> int:
    """What a run says of itself."""
    return int(re.findall(r"^([\d,]+) training steps run in", said, re.MULTILINE)[-1].replace(",", ""))


def artifacts(store: Path) -> set[str]:
    """Keys of what is published."""
    return {path.parent.name for path in store.glob("[0-9a-f][0-9a-f]/*/stage.json")}
