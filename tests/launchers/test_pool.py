"""The pool with jobs that cost nothing: slots, retries and ends, whatever happens to the jobs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from lotto.errors import BadRequest, StageFailed
from lotto.launchers.command import Command
from lotto.launchers.pool import run_pool
from lotto.launchers.slots import Slot, slots_of, visible_devices

# In place of lotto: a job notes when it ran and on what, and ends as it was told to.
JOB = """
import json, os, sys, time
folder, seconds, status = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
run = {"pid": os.getpid(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES"), "threads": os.environ.get("OMP_NUM_THREADS")}
run["began"] = time.monotonic()
name = os.path.join(folder, f"run-{os.getpid()}-{time.monotonic_ns()}.json")
open(name + ".part", "w").write(json.dumps(run)); os.rename(name + ".part", name)
time.sleep(seconds)
print("a line on the way")
if status: print("lotto: it went wrong.")
run["ended"] = time.monotonic()
open(name + ".part", "w").write(json.dumps(run)); os.rename(name + ".part", name)
sys.exit(status)
"""


@pytest.fixture(autouse=True)
def _threads_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def job(folder: Path, number: int, seconds: float = 0.0, status: int = 0) -> Command:
    mine = folder / str(number)
    mine.mkdir()
    arguments = (str(mine), str(seconds), str(status))
    return Command(number, f"seed={number}", arguments, mine, (sys.executable, "-I", "-S", "-c", JOB))


def runs(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in folder.glob("*/run-*.json")]


def slots(*devices: str) -> list[Slot]:
    return [Slot(device, None) for device in devices]


def test_forty_jobs_on_eight_slots_whose_processes_are_killed_at_random(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    commands = [job(tmp_path, number, 0.25) for number in range(40)]
    chance, killed, over = random.Random(2019), set(), threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            alive = [run["pid"] for run in runs(tmp_path) if "ended" not in run and run["pid"] not in killed]
            if alive and len(killed) < 30:
                killed.add(chosen := chance.choice(alive))
                try:
                    os.kill(chosen, signal.SIGKILL)
                except ProcessLookupError:
                    killed.discard(chosen)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        failures = run_pool(commands, slots(*map(str, range(8))), retries=20)
    finally:
        over.set()
        killer.join()
    said = capfd.readouterr()
    assert failures == [] and said.err == ""
    done = [run for run in runs(tmp_path) if "ended" in run]
    assert len(done) == 40 and {path.parent.name for path in tmp_path.glob("*/run-*")} == set(map(str, range(40)))
    assert len(killed) >= 20 and said.out.count("was ended by SIGKILL") >= 20
    assert "40 of 40 jobs done" in said.out.splitlines()[-1]
    # A slot holds one job at a time.
    by_slot = defaultdict(list)
    for run in done:
        by_slot[run["devices"]].append((run["began"], run["ended"]))
    assert set(by_slot) == set(map(str, range(8)))
    for spans in by_slot.values():
        spans.sort()
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_two_jobs_at_once_on_one_gpu_and_two_gpus_for_one_job(tmp_path: Path) -> None:
    assert run_pool([job(tmp_path, number, 0.5) for number in range(3)], slots("0", "0", "1,2"), 0) == []
    assert sorted(run["devices"] for run in runs(tmp_path)) == ["0", "0", "1,2"]
    assert max(run["began"] for run in runs(tmp_path)) < min(run["ended"] for run in runs(tmp_path))


def test_a_job_that_fails_is_not_started_again_and_one_that_dies_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    commands = [job(tmp_path, 0), job(tmp_path, 1, status=1), job(tmp_path, 2, status=2), job(tmp_path, 3, status=77)]
    failures = run_pool(commands, slots(""), retries=2)
    assert [(type(failure), str(failure)) for failure in failures] == [
        (StageFailed, "job 1 (seed=1): it went wrong."),
        (BadRequest, "job 2 (seed=2): it went wrong."),
        (StageFailed, f"job 3 (seed=3) ended with status 77 ({tmp_path}/3/output.log)."),
    ]
    assert [len(list((tmp_path / str(number)).glob("run-*"))) for number in range(4)] == [1, 1, 1, 3]
    said = capfd.readouterr()
    assert said.err.splitlines() == [f"lotto: {failure}" for failure in failures]
    assert said.out.splitlines()[-1].startswith("1 of 4 jobs done, 3 failed, 2 started again, in ")
    assert (tmp_path / "3" / "output.log").read_text().count("a line on the way") == 3


def test_a_job_that_cannot_be_started_does_not_keep_the_others_from_running(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lost = Command(0, "", (), tmp_path / "file" / "folder")
    (failure,) = run_pool([lost, job(tmp_path, 1)], slots(""), retries=1)
    assert str(failure).startswith("job 0 could not be started: ") and len(runs(tmp_path)) == 1


DRIVER = """
import sys
from pathlib import Path
from lotto.launchers.command import Command
from lotto.launchers.pool import run_pool
from lotto.launchers.slots import Slot
folder = Path({folder!r})
job = (sys.executable, "-I", "-c", {job!r})
jobs = [Command(n, "", (str(folder / str(n)), "60", "0"), folder / str(n), job) for n in range(3)]
run_pool(jobs, [Slot("", 1)] * 2, 0)
"""
# Follows its driver, as lotto does.
FOLLOWING = "from lotto.launchers.driver import follow_driver\nfollow_driver()\n" + JOB


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, None)])
def test_no_job_outlives_the_driver(tmp_path: Path, sent: int, status: int | None) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(job=FOLLOWING, folder=str(tmp_path))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while len(runs(tmp_path)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver.send_signal(sent)
    ended = driver.wait(20)
    assert ended == status or (status is None and ended != 0)
    pids = [run["pid"] for run in runs(tmp_path)]
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a job runs on"
        time.sleep(0.05)
    assert len(pids) == 2, "another job was started"


def test_slots_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def devices(setting: object, accelerator: str = "auto") -> list[str]:
        return [slot.devices for slot in slots_of(setting, None, accelerator)]

    assert devices(["0", "1"]) == devices([0, 1]) == ["0", "1"]
    assert devices(["0,1", "2, 3"]) == devices([[0, 1], [2, 3]]) == ["0,1", "2,3"]
    assert devices([0, 0]) == ["0", "0"]
    assert devices(3) == ["", "", ""]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-1a2b")
    assert devices(None) == ["2", "GPU-1a2b"] and devices(None, "cpu") == [""] * 4
    assert [slot.threads for slot in slots_of(None, None)] == [4, 4]
    assert [slot.threads for slot in slots_of(3, None)] == [2, 2, 2]
    assert [slot.threads for slot in slots_of(3, 5)] == [5, 5, 5]
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert [slot.environment for slot in slots_of([1], None)] == [{"CUDA_VISIBLE_DEVICES": "1"}]


@pytest.mark.parametrize(("visible", "found"), [("", []), ("-1", []), ("3,1", ["3", "1"]), ("0,-1,2", ["0"])])
def test_visible_devices_are_read_as_cuda_reads_them(
    monkeypatch: pytest.MonkeyPatch, visible: str, found: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_devices() == found


@pytest.mark.parametrize("setting", [0, -1, True, "0", [], [True], [""], [[]], 1.5, {"a": 1}])
def test_what_is_no_list_of_slots_is_refused(setting: object) -> None:
    with pytest.raises(BadRequest, match=r"hydra\.launcher\.slots="):
        slots_of(setting, None)
