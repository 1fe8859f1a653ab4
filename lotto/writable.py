"""Whether a folder can be written to, asked before anything is trained."""

from __future__ import annotations

import uuid
from pathlib import Path

from lotto.errors import BadRequest


def check_writable(setting: str, folder: Path) -> None:
    """Raises BadRequest, naming the ``setting`` that names the folder, if nothing could be written there."""
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as reason:
        raise BadRequest(
            f"{setting}={folder} cannot be written to ({reason.strerror}): name a folder that can."
        ) from None
