"""What many tests start from: specs by their overrides, and an empty store."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from lotto.compose import composed, read_spec
from lotto.spec import Spec
from lotto.store import Store


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell has what it starts in the background ignore interrupts, and so would every process that a test interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
