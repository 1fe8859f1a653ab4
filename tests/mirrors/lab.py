"""Runs with loggers, and what they left, read back by each dashboard's own reader."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from lotto.api import run_composed
from lotto.compose import composed, read_spec
from lotto.experiment import Outcome
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.store import Store
from tests.e2e import TINY, results

# What results.csv says of a run and not of a ticket.
OF_THE_RUN = "cached"


@dataclass(frozen=True)
class Lab:
    """A store and the folder of a run."""

    folder: Path
    extra: tuple[str, ...] = ()

    @property
    def overrides(self) -> list[str]:
        return [*TINY, f"store={self.store.root}", f"hydra.run.dir={self.run_folder}", *self.extra]

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    @property
    def wandb(self) -> Path:
        return self.run_folder / "wandb"

    @property
    def spec(self) -> Spec:
        return read_spec(composed(self.overrides))

    @property
    def plan(self) -> Plan:
        return Plan.of(self.spec)

    def run(self, *more: str) -> Outcome:
        overrides = [*self.overrides, *more]
        return run_composed(composed(overrides), self.run_folder, overrides, None)

    def rows(self) -> list[dict[str, str]]:
        return results(self.run_folder, OF_THE_RUN)

    def wandb_runs(self) -> list[WandbRun]:
        return [WandbRun(folder) for folder in sorted(self.wandb.glob("offline-run-*"))]


@dataclass(frozen=True)
class WandbRun:
    """An offline run of W&B's, read back by ``wandb leet inspect``."""

    folder: Path

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in inspect("--json", self.folder).splitlines()]

    @cached_property
    def about(self) -> dict[str, Any]:
        """Config, summary, state and exit code."""
        return json.loads(inspect("--summary", self.folder, "--json"))

    @property
    def started(self) -> dict[str, Any]:
        """What was said of the run when it began."""
        return self.of("run")[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record[kind] for record in self.records if record["type"] == kind]

    def history(self) -> list[dict[str, Any]]:
        return [record["item"] for record in self.of("history")]


def inspect(flag: str, folder: Path, *more: str) -> str:
    """What ``wandb leet inspect`` does, without a second of Python's imports before it."""
    core = pytest.importorskip("wandb.util", reason="wandb is not installed").get_core_path()
    (file,) = folder.glob("run-*.wandb")
    arguments = [
        core,
        "leet",
        "inspect",
        "--no-observability",
        flag,
        *more,
        "--run-file",
        str(file),
        str(folder.parent),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def folders(path: Path) -> dict[str, float]:
    """Names and times of what lies in a folder."""
    return {found.name: found.stat().st_mtime for found in path.iterdir()}


def numbers(row: dict[str, str], names: Sequence[str]) -> dict[str, float]:
    return {name: float(row[name]) for name in names if row[name]}
