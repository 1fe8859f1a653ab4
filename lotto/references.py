"""Who needs what of a store: every run and every sweep leaves a note of its stages, which counts as long as its folder is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lotto.locks import owners
from lotto.plan import Plan
from lotto.report.aside import write_aside
from lotto.store import Store


@dataclass(frozen=True)
class Reference:
    """A run, or a sweep.

    Args:
        folder: where it writes.
        command: that it was asked for by.
        tickets: keys of the train stages that fill its table.
        stages: keys of all its stages, those included.
    """

    folder: Path
    command: str
    tickets: tuple[str, ...]
    stages: tuple[str, ...]


def refer(store: Store, folder: Path, overrides: Sequence[str], plan: Plan) -> None:
    """Note that the run in ``folder`` needs the stages of ``plan``; a store that takes no more notes stops no run."""
    where = folder.resolve()
    note = {
        "folder": str(where),
        "command": " ".join(["lotto", *overrides]),
        "tickets": [entry.trained.key for entry in plan.entries],
        "stages": list(plan.stages),
    }
    name = hashlib.sha256(str(where).encode()).hexdigest()[:40]
    with suppress(OSError):
        write_aside(store.root / "references" / f"{name}.json", json.dumps(note).encode())


def references(store: Store) -> list[Reference]:
    """Of the runs and sweeps whose folder is still there; while a process is at work of all, for the note does not say whose it is."""
    in_use = bool(owners(store.root))
    found = []
    for path in sorted((store.root / "references").glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            note = json.loads(path.read_text())
            made = Reference(Path(note["folder"]), note["command"], tuple(note["tickets"]), tuple(note["stages"]))
            if in_use or made.folder.is_dir():
                found.append(made)
    return found


def forgotten(store: Store) -> list[Path]:
    """Notes of runs whose folder was removed."""
    kept = {str(reference.folder) for reference in references(store)}
    return [path for path in sorted((store.root / "references").glob("*.json")) if _folder(path) not in kept]


def _folder(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
