"""A sweep run as one plan, by one process or several: the same table, every stage once."""

from __future__ import annotations

import errno
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import save_file

from lotto.errors import StoreUnwritable
from lotto.report.columns import read_csv
from lotto.report.measures import ACCURACY
from lotto.running.progress import QuietProgress
from lotto.store import Store
from lotto.sweep.definition import Sweep
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.run import run_sweep
from tests.e2e import TINY

SWEEP = """\
# Twelve points
overrides: [method=one_shot, schedule=densities]
axes:
  rewind.at: [0, 20it]
  schedule.densities: [[0.5], [0.2], [0.1]]
  seed: [0, 1]
report: {x: density, lines: [rewind.at, branch]}
"""
OPTIONS = [option for option in TINY if not option.startswith("schedule")]


def planned(folder: Path, name: str, *more: str) -> PlannedSweep:
    path = folder / "twelve.yaml"
    path.write_text(SWEEP)
    request = [*OPTIONS, *more, f"store={folder / name / 'store'}", f"hydra.run.dir={folder / name / 'sweep'}"]
    return PlannedSweep.of(Sweep.read(str(path)), request)


def untimed(table: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {name: value for name, value in row.items() if name not in ("wall_seconds", "cached")}
        for row in table.astype(object).where(table.notna(), None).to_dict("records")
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> PlannedSweep:
    """The sweep, run by one process."""
    made = planned(tmp_path_factory.mktemp("alone"), "one")
    outcome = run_sweep(made, QuietProgress())
    assert outcome.failed == () and outcome.steps == made.steps_together
    return made


def test_every_stage_is_trained_once_and_a_second_run_trains_nothing(alone: PlannedSweep) -> None:
    store = Store(alone.spec.store)
    assert set(store.artifacts()) == set(alone.plan.stages)
    again = run_sweep(alone, QuietProgress())
    assert again.steps == 0 and again.table["cached"].all()
    assert again.table["axis:rewind.at"].unique().tolist() == ["0", "20it"]
    assert len(again.table) == 12 * (2 + 2 + 2)  # dense networks, tickets and controls of two replicates
    assert again.written is not None and again.written.markdown.read_text().count("| ") > 10


def test_stages_of_several_points_are_stacked(alone: PlannedSweep) -> None:
    store = Store(alone.spec.store)
    tickets = {entry.trained.key: entry for entry in alone.plan.entries if entry.level == 1}
    companies = [store.record(key)["stack"] for key in tickets]
    # Of one rewinding point and one level: 3 densities x 2 seeds x 2 replicates, tickets and controls.
    assert {len(company) for company in companies} == {24}


def test_a_line_counts_a_shared_network_once(alone: PlannedSweep) -> None:
    outcome = run_sweep(alone, QuietProgress())
    assert outcome.written is not None
    for line in outcome.written.lines[ACCURACY]:
        dense = line.points[line.points["x"] == 1.0]
        assert dense.empty or dense["n"].tolist() == [4]  # 2 seeds x 2 replicates


def test_several_workers_come_to_the_same_table(alone: PlannedSweep, tmp_path: Path) -> None:
    made = planned(tmp_path, "two", "logger=[csv]")
    finished = command(tmp_path, made, "--workers=2")
    assert finished.wait(180) == 0, finished.communicate()
    table = read_csv(made.folder / "results.csv")
    assert untimed(table) == untimed(read_csv(alone.folder / "results.csv"))
    said = finished.communicate()[0]
    assert f"{made.steps_together:,} training steps run in" in said
    assert (made.folder / "workers" / "1" / "output.log").is_file()
    for point in made.points:  # the loggers are the sweep's, whoever trains
        assert list((made.folder / "points" / point.name).rglob("*.csv"))


def test_killed_processes_lose_nothing(alone: PlannedSweep, tmp_path: Path) -> None:
    made = planned(tmp_path, "killed", "hardware.checkpoint_every=0")
    chance = random.Random(3)
    for _ in range(5):
        processes = [command(tmp_path, made) for _ in range(2)]
        deadline = time.monotonic() + chance.uniform(4.0, 9.0)
        while time.monotonic() < deadline and any(process.poll() is None for process in processes):
            time.sleep(0.05)
        alive = [process for process in processes if process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            process.communicate()
        if not alive:
            break
    finished = command(tmp_path, made)
    assert finished.wait(120) == 0, finished.communicate()
    finished.communicate()
    assert untimed(read_csv(made.folder / "results.csv")) == untimed(read_csv(alone.folder / "results.csv"))
    assert set(Store(made.spec.store).artifacts()) == set(made.plan.stages)


def test_a_disk_that_fills_up_stops_the_sweep_and_loses_nothing(
    alone: PlannedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(tmp_path, "full")
    left = 90

    def limited(tensors: object, path: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path)

    monkeypatch.setattr("safetensors.torch.save_file", limited)
    with pytest.raises(StoreUnwritable, match=r"could not be written to \(No space left on device\)"):
        run_sweep(made, QuietProgress())
    monkeypatch.undo()
    store = Store(made.spec.store)
    assert len(list(store.artifacts())) == 90 and all(map(store.verify, store.artifacts()))
    outcome = run_sweep(made, QuietProgress())
    assert outcome.failed == () and untimed(read_csv(made.folder / "results.csv")) == untimed(
        read_csv(alone.folder / "results.csv")
    )


def test_a_failed_stage_is_told_others_go_on_and_the_same_command_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(tmp_path, "failing")
    dense = [entry.trained for entry in made.plan.entries if entry.level == 0 and entry.replicate == 1]
    broken = next(stage for stage in dense if stage.fields["seed"] == 1)
    original = Store.publish

    def refused(self: Store, key: str, *given: object) -> None:
        if key == broken.key:
            raise RuntimeError("not today")
        original(self, key, *given)

    monkeypatch.setattr(Store, "publish", refused)
    outcome = run_sweep(made, QuietProgress())
    monkeypatch.undo()
    assert outcome.failed and "not today" in outcome.failed[0]
    note = json.loads((Path(made.spec.store) / "failed" / f"{broken.key}.json").read_text())
    assert "refused" in note["traceback"] and note["stage"]["fields"]["seed"] == 1
    assert {entry["axis:seed"] for entry in outcome.table.to_dict("records")} == {"0", "1"}
    assert len(outcome.table) < 72
    again = run_sweep(made, QuietProgress())
    assert again.failed == () and len(again.table) == 72
    assert not list((Path(made.spec.store) / "failed").iterdir())


def command(folder: Path, made: PlannedSweep, *flags: str) -> subprocess.Popen[str]:
    """``lotto sweep`` in a process of its own."""
    words = [sys.executable, "-m", "lotto", "sweep", str(folder / "twelve.yaml"), *made.request, *flags]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
