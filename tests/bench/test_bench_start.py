from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from lotto.bench import start
from lotto.compose import composed, read_spec
from lotto.errors import StageFailed
from lotto.plan import Plan
from lotto.stage import Stage
from lotto.store import Store


def test_the_first_of_all_trainings_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], cwd: Path, **how: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["-m", "lotto"] and command[-1] == "hardware=cpu"
        store = Store(cwd / "outputs" / "store")
        for replicate, waited in enumerate((7.0, 5.0)):
            stage = Stage("train", {"replicate": replicate})
            record = {**stage.description, "times": {"first_step": time.time() + waited}}
            store.publish(stage.key, record, {"x": torch.zeros(1)})
        store.publish(Stage("init", {}).key, Stage("init", {}).description, {"x": torch.zeros(1)})
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert start.seconds_to_first_step(tmp_path / "run", ["hardware=cpu"]) == pytest.approx(5.0, abs=0.5)


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="status 2: lotto: seed=abc is not a whole number"):
        start.seconds_to_first_step(tmp_path / "run", ["seed=abc"])


def test_the_run_is_the_main_job_cut_short() -> None:
    spec, main = read_spec(composed(start._TINY)), read_spec(composed([]))
    assert (spec.model, spec.data) == (main.model, main.data)
    plan = Plan.of(spec)
    assert plan.steps(list(plan.stages.values())) == 2
