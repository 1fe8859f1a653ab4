from __future__ import annotations

from pathlib import Path

import pytest

from tests.tickets.ticket_samples import StoredRun, store_run


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    return store_run(tmp_path / "store")
