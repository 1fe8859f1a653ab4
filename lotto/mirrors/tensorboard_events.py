"""``logger=tensorboard``: the scalars of each ticket line, in single precision as TensorBoard keeps them, with its settings as HParams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.mirrors.line import TRAINING, Line, Row
from lotto.mirrors.mirror import Files, need

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

RESULTS = "results/"


class TensorBoardEvents:
    """Writes ``tensorboard/LINE/`` in the run's folder: what training measured along the line's steps, results along its levels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"
        self._writers: dict[str, SummaryWriter] = {}
        self._last: dict[str, Mapping[str, Any]] = {}

    def check(self) -> None:
        need("tensorboard", "tensorboard", "tensorboard")

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        """Writing is as quick as looking."""
        return False

    def begin(self, line: Line) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = self._folder / line.name
        # Events of an earlier process would be shown beside these, or end in the middle of one.
        for earlier in folder.glob("events.out.tfevents.*"):
            earlier.unlink()
        self._writers[line.name] = SummaryWriter(str(folder))

    def row(self, line: Line, row: Row) -> None:
        for record in row.evaluations():
            step = record[f"{TRAINING}line_step"]
            self._scalars(line, {name: value for name, value in record.items() if name.startswith(TRAINING)}, step)
        outcome = row.outcome()
        self._last[line.name] = outcome
        if row.entry.sample == 0:  # a step has one value: that of a control's first draw
            self._scalars(line, {f"{RESULTS}{name}": value for name, value in outcome.items()}, row.entry.level)
        self._writers[line.name].flush()

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        from torch.utils.tensorboard.summary import hparams

        writer = self._writers.pop(line.name)
        outcome = {
            f"{RESULTS}{name}": value for name, value in self._last.pop(line.name, {}).items() if _is_number(value)
        }
        settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in line.settings.items()
        }
        assert writer.file_writer is not None
        for summary in hparams(settings, outcome):
            writer.file_writer.add_summary(summary)
        writer.close()

    def close(self, exit_code: int) -> str:
        return f"tensorboard --logdir {self._folder}"

    def _scalars(self, line: Line, record: Mapping[str, Any], step: int) -> None:
        for name, value in record.items():
            if _is_number(value):
                self._writers[line.name].add_scalar(name, value, step)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
