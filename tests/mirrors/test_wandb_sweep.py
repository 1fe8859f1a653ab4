"""The sweep files for ``wandb agent``: what the agent would run composes, and the metric that it waits for arrives in its run."""

from __future__ import annotations

import queue
import shutil
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from lotto.compose import composed, read_spec
from lotto.plan import Plan
from tests.e2e import TINY, results
from tests.mirrors.lab import WandbRun

SWEEPS = sorted((Path(__file__).parents[2] / "sweeps" / "wandb").glob("*.yaml"))

pytest.importorskip("wandb", reason="wandb is not installed: its agent was not tried")


def chosen(parameters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One point of the sweep as the server sends it: the first or the least value of every parameter."""
    values = {
        name: given["value"] if "value" in given else given["values"][-1] if "values" in given else given["min"]
        for name, given in parameters.items()
    }
    return {name: {"value": value} for name, value in values.items()}


def command(sweep: dict[str, Any], **more: object) -> list[str]:
    """The command that the agent builds."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    arguments = create_sweep_command_args({"args": chosen(sweep["parameters"])})
    found: list[str] = []
    for part in create_sweep_command(list(sweep["command"])):
        found += arguments.get(part[2:-1], []) if part.startswith("${") and part.endswith("}") else [part]
    return found


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_what_the_agent_would_run_is_planned(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    sweep = yaml.safe_load(path.read_text())
    program, verb, *overrides = command(sweep)
    assert (program, verb) == ("lotto", "run")
    spec = read_spec(composed(overrides))
    assert len(Plan.of(spec).entries) > 1 and spec.loggers["wandb"]["mode"] == "offline"
    monkeypatch.delenv("WANDB_MODE")
    assert read_spec(composed(overrides)).loggers["wandb"]["mode"] == "online"
    for name, given in sweep["parameters"].items():
        for value in given.get("values", ()):
            assert Plan.of(read_spec(composed([*overrides, f"{name}={value}"]))).entries


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_agent_runs_it_and_the_metric_is_in_its_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent itself, without the server that tells it what to run and hears of it."""
    from wandb.wandb_agent import Agent

    sweep = yaml.safe_load(path.read_text())
    small = {**chosen(sweep["parameters"]), "rewind.at": {"value": 0}}
    for override in (*TINY, "hydra.run.dir=run"):
        name, _, value = override.partition("=")
        small[name] = {"value": value}
    monkeypatch.chdir(tmp_path)
    for name, value in {"WANDB_MODE": "offline", "WANDB_SWEEP_ID": "sweep1", "WANDB_PROJECT": "lotto"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{Path(shutil.which('env') or '').parent}")
    (tmp_path / "bin").mkdir()
    lotto = tmp_path / "bin" / "lotto"
    lotto.write_text(f'#!/bin/sh\nexec {sys.executable} -m lotto "$@"\n')
    lotto.chmod(0o755)
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_DIR"):
        monkeypatch.setenv(name, "")  # the agent sets them for good
        monkeypatch.delenv(name)
    agent = Agent(None, queue.Queue(), sweep_id="sweep1")
    agent._sweep_command = sweep["command"]
    agent._command_run({"run_id": "trial1", "program": sweep["program"], "args": small})
    assert agent._run_processes["trial1"].wait(120) == 0

    runs = [WandbRun(folder) for folder in (tmp_path / "run" / "wandb").glob("offline-run-*")]
    (trial,) = (run for run in runs if run.started["run_id"] == "trial1")
    assert trial.started["sweep_id"] == "sweep1" and trial.started["project"] == "lotto"
    assert trial.about["exit_code"] == 0
    rows = [row for row in results(tmp_path / "run") if row["branch"] == "ticket" and row["level"] == "2"]
    metric = sweep["metric"]["name"]
    assert trial.about["summary"][metric] == fmean(float(row[metric]) for row in rows)
    assert trial.about["config"]["train.lr"] == small["train.lr"]["value"]
    assert [item["level"] for item in trial.history() if metric in item] == [0, 1, 2]
    lines = [run.started for run in runs if run is not trial]
    assert len(lines) == 4 and not any(started.get("sweep_id") for started in lines)
