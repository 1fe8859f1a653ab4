"""The folders that W&B leaves on disk, one for each time that a run was begun: which is whole, and which a killed process left."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lotto.mirrors.wandb_file import is_finished
from lotto.report.aside import write_aside

# W&B's own file ends anywhere if its process is killed, and says so nowhere. What was finished gets this note beside it.
NOTE = "lotto.json"

PATIENCE = 30.0
"""Seconds that W&B is given to write what it was told."""


def folders_of(root: Path, run_id: str) -> list[Path]:
    """Every folder below ``root`` in which W&B began this run."""
    return sorted(path for path in root.glob(f"*run-*-{run_id}*") if path.is_dir() and _file(path, run_id).exists())


def holds(root: Path, run_id: str, fingerprint: str) -> bool:
    """Whether a finished run with this content lies there."""
    return any(_noted(folder, run_id) == fingerprint for folder in folders_of(root, run_id))


def keep_only(folder: Path, run_id: str, fingerprint: str | None) -> None:
    """Note that the run in ``folder`` is finished, with this content if it is whole, and remove what was begun of it earlier.

    If it has gone meanwhile, another process has put its own in place: that one stays.
    """
    if not _is_written(_file(folder, run_id)):
        return
    if fingerprint is not None:
        note = {"fingerprint": fingerprint, "bytes": _file(folder, run_id).stat().st_size}
        write_aside(folder / NOTE, json.dumps(note).encode())
    for earlier in _others(folder, run_id):
        shutil.rmtree(earlier, ignore_errors=True)


def _is_written(file: Path) -> bool:
    """Whether W&B's process, which writes on after the run has been finished, comes to its end."""
    latest = time.monotonic() + PATIENCE
    while file.exists():
        if is_finished(file):
            return True
        if time.monotonic() > latest:
            break
        time.sleep(0.01)
    return False


def _others(folder: Path, run_id: str) -> Iterator[Path]:
    return (other for other in folders_of(folder.parent, run_id) if other != folder)


def _noted(folder: Path, run_id: str) -> str | None:
    """The content of a finished run, or None if it was not finished or is no longer as it was."""
    try:
        note = json.loads((folder / NOTE).read_text())
        return str(note["fingerprint"]) if note["bytes"] == _file(folder, run_id).stat().st_size else None
    except (OSError, ValueError, KeyError):
        return None


def _file(folder: Path, run_id: str) -> Path:
    return folder / f"run-{run_id}.wandb"
