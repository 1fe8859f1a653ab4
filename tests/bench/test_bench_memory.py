from __future__ import annotations

import pytest
import torch

from lotto.bench.memory import PeakMemory

MEGABYTE = 1_000_000


def test_the_peak_is_seen_after_it_has_passed_and_is_forgotten_by_a_reset() -> None:
    memory = PeakMemory(torch.device("cpu"))
    memory.reset()
    before = memory.peak()
    if before is None:
        pytest.skip("this system does not let a process forget its peak")
    filled = torch.ones(50 * MEGABYTE // 4)
    del filled
    peak = memory.peak()
    assert peak is not None and 45 * MEGABYTE < peak - before < 100 * MEGABYTE
    memory.reset()
    after = memory.peak()
    assert after is not None and after < before + 20 * MEGABYTE


def test_without_a_reset_nothing_is_known() -> None:
    assert PeakMemory(torch.device("cpu")).peak() is None


def test_a_system_that_cannot_forget_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lotto.bench.memory._forget_resident_peak", lambda: False)
    memory = PeakMemory(torch.device("cpu"))
    memory.reset()
    assert memory.peak() is None
