"""``run.json`` of a run's folder: which of its rows were stored before it began."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lotto.errors import BadRequest
from lotto.report.aside import write_aside

_NOTE = "run.json"


def noted(folder: Path) -> list[str]:
    """The rows that were stored before the run of this folder began."""
    try:
        return list(json.loads((folder / _NOTE).read_text())["cached"])
    except (OSError, ValueError, KeyError):
        return []


def begin_note(folder: Path, cached: list[str]) -> list[str]:
    """Note which rows were stored before the run began; a run that was killed and is started again keeps the first note."""
    try:
        earlier = json.loads((folder / _NOTE).read_text())
        if not earlier["finished"]:
            return [key for key in earlier["cached"] if key in set(cached)]
    except (OSError, ValueError, KeyError):
        pass
    _write_note(folder, cached, finished=False)
    return cached


def finish_note(folder: Path, cached: Sequence[str]) -> None:
    """Note that the run has ended: the next one in this folder is another."""
    _write_note(folder, cached, finished=True)


def _write_note(folder: Path, cached: Sequence[str], finished: bool) -> None:
    try:
        write_aside(folder / _NOTE, json.dumps({"cached": list(cached), "finished": finished}, indent=1).encode())
    except OSError as reason:
        raise BadRequest(
            f"hydra.run.dir={folder} cannot be written to ({reason.strerror}): name a folder that can."
        ) from None
