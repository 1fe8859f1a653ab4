"""Files that are either whole or absent."""

from __future__ import annotations

import os
from pathlib import Path


def write_aside(path: Path, content: bytes) -> Path:
    """Write ``content`` to ``path`` so that a reader, or a run killed half-way, never meets half a file.

    Given a path whose folder may not exist yet; returns the path. The bytes go to a hidden neighbour first, reach the
    disk, and the neighbour is renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with neighbour.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    finally:
        neighbour.unlink(missing_ok=True)
    return path
