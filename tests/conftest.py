"""What many tests start from: specs by their overrides, and an empty store."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from lotto.compose import composed, read_spec
from lotto.spec import Spec
from lotto.store import Store


@cache
def _spec(*overrides: str) -> Spec:
    return read_spec(composed(overrides))


@pytest.fixture(scope="session")
def spec_of() -> Callable[..., Spec]:
    """The spec that overrides describe; specs are immutable, so each is composed once."""
    return _spec


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training a small network: for tests that look at something else."""
    import lotto.report.write

    monkeypatch.setattr(lotto.report.write, "accuracy_figure", lambda *given: ())
    monkeypatch.setattr(lotto.report.write, "early_stop_figure", lambda *given: ())
