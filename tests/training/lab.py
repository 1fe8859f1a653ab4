"""Small experiments for tests of training: a tiny LeNet on the digits, run in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lotto.compose import composed, read_spec
from lotto.experiment import Outcome, run_experiment
from lotto.plan import Plan
from lotto.running.progress import QuietProgress
from lotto.store import Store

TINY = (
    "model.plan=[20,12]",
    "train.steps=60it",
    "train.evaluate_every=15it",
    "replicates=1",
    "schedule.levels=2",
    "controls=[]",
)


class Lab:
    """One experiment in its own store."""

    def __init__(self, folder: Path, *overrides: str, base: Sequence[str] = TINY) -> None:
        self.folder = folder
        self.overrides = [*base, f"store={folder / 'store'}", *overrides]
        self.spec = read_spec(composed(self.overrides))
        self.plan = Plan.of(self.spec)
        self.store = Store(folder / "store")

    def run(self) -> Outcome:
        return run_experiment(self.spec, self.folder / "run", self.overrides, QuietProgress())

    def trained(self, level: int = 0, branch: str = "ticket", replicate: int = 0) -> dict:
        """The tensors of a trained ticket, read by a store of its own."""
        return Store(self.folder / "store").tensors(self.entry(level, branch, replicate).trained.key)

    def entry(self, level: int = 0, branch: str = "ticket", replicate: int = 0):
        return next(
            entry
            for entry in self.plan.entries
            if (entry.level, entry.branch, entry.replicate) == (level, branch, replicate)
        )


TIMING = ["wall_seconds"]


def untimed(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=TIMING)
