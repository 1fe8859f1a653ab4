"""The run of ``wandb agent``: a sweep of W&B's judges a whole experiment, of which it knows one run and one metric."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from lotto.mirrors import wandb_folders
from lotto.mirrors.line import PLACE, Line, Row, flat
from lotto.mirrors.mirror import Files
from lotto.mirrors.wandb_session import along_levels, begin_run

if TYPE_CHECKING:
    from wandb import Run


def under_agent() -> bool:
    """Whether ``wandb agent`` started this process."""
    return {"WANDB_SWEEP_ID", "WANDB_RUN_ID"} <= os.environ.keys()


class WandbAgentRun:
    """Logs into the agent's run, for every level, the mean over replicates of each column of the results.

    The tickets' columns have the names of ``results.csv``, a control's have its name before them.
    """

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder, self._mode = folder, mode
        self._run: Run | None = None
        self._owed: dict[tuple[str, int], int] = {}
        self._rows: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def check(self) -> None:
        """The other runs of W&B need the same."""

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        """An agent's run is new every time."""
        return False

    def begin(self, line: Line) -> None:
        if self._run is None:
            given = {name: os.environ.get(f"WANDB_{name.upper()}") for name in ("project", "entity")}
            self._run = begin_run(
                self._folder,
                self._mode,
                os.environ["WANDB_RUN_ID"],
                sweep=os.environ["WANDB_SWEEP_ID"],
                group=line.experiment,
                job_type="sweep",
                config={**flat(line.request), "experiment": line.experiment, **_chosen()},
                **given,
            )
        for entry in line.entries:
            of_level = (line.branch, entry.level)
            draws = sum(other.level == entry.level for other in line.entries)
            self._owed[of_level] = draws * int(line.request["replicates"])

    def row(self, line: Line, row: Row) -> None:
        of_level = (line.branch, row.entry.level)
        self._rows.setdefault(of_level, []).append(row.outcome())
        if len(self._rows[of_level]) == self._owed[of_level]:
            self._log(*of_level)

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        """Its lines end with the experiment."""

    def close(self, exit_code: int) -> str:
        if self._run is None:
            return "nothing was trained"
        for of_level in sorted(self._rows, key=lambda one: one[1]):
            self._log(*of_level)
        self._run.finish(exit_code)
        wandb_folders.keep_only(Path(self._run.sync_dir), self._run.id, None)
        return f"the agent's run {self._run.id}"

    def _log(self, branch: str, level: int) -> None:
        """The means of a level, of those replicates that came to it."""
        rows = self._rows.pop((branch, level))
        before = "" if branch == "ticket" else f"{branch}/"
        numbers = [name for name in rows[0] if all(_is_number(row.get(name)) for row in rows)]
        means = {name: fmean(row[name] for row in rows) for name in numbers}
        assert self._run is not None
        named = {name if name in PLACE else f"{before}{name}": mean for name, mean in means.items()}
        along_levels(self._run, named)
        self._run.log({**named, "level": level})


def _chosen() -> dict[str, Any]:
    """The values that the sweep chose, by the names of its parameters."""
    path = Path(os.environ.get("WANDB_SWEEP_PARAM_PATH", ""))
    if not path.is_file():
        return {}
    import yaml

    chosen = yaml.safe_load(path.read_text()) or {}
    return {name: given["value"] for name, given in chosen.items() if isinstance(given, dict) and "value" in given}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
