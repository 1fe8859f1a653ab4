"""The same sweep wherever it runs: Hydra's own launcher, the pool, joblib."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e import Said, Shell, artifacts
from tests.launchers.sweeps import POINTS, Sweep, steps_trained

POOL = ("hydra/launcher=lotto_pool", "hydra.launcher.slots=[0,1]")


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, Said]:
    sweep = Sweep(tmp_path_factory.mktemp("basic"), *POINTS)
    return sweep, sweep.run()


def test_the_pool_gives_the_same_results(basic: tuple[Sweep, Said], tmp_path: Path) -> None:
    sequential, first = basic
    pool = Sweep(tmp_path, *POINTS, *POOL)
    said = pool.run()
    assert (first.status, said.status, said.err) == (0, 0, ""), said
    assert len(pool.results()) == 4 and pool.results() == sequential.results()
    assert artifacts(pool.store) == artifacts(sequential.store)
    assert steps_trained(pool.said_by_jobs()) == steps_trained(first.out)
    assert said.out.splitlines()[0].startswith("4 jobs on 2 slots (GPU 0, GPU 1, 1 thread each)")
    assert any(line.startswith("job 1 (method=imp seed=1): done in ") for line in said.out.splitlines()), said.out


def test_joblib_gives_the_same_results_each_worker_on_a_device_of_its_own(
    basic: tuple[Sweep, Said], tmp_path: Path
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (tmp_path / "spy.py").write_text(
        "import json, os, sys, time\nfrom pathlib import Path\nfrom lotto.models.lenet import LeNet as Original\n\n\n"
        "def lenet(input_shape, num_classes):\n"
        "    note = {'pid': os.getpid(), 'devices': os.environ['CUDA_VISIBLE_DEVICES']}\n"
        "    note['locks'] = sorted(path.name for path in Path('outputs/store/locks').glob('device-*.lock'))\n"
        "    Path(f'note-{os.getpid()}-{time.monotonic_ns()}').write_text(json.dumps(note))\n"
        "    return Original(input_shape, num_classes)\n"
    )
    sweep = Sweep(tmp_path, *POINTS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", CUDA_VISIBLE_DEVICES="4,5")
    said = sweep.run()
    assert said.status == 0, said
    assert sweep.results() == basic[0].results()
    assert steps_trained(said.out) == steps_trained(basic[1].out)
    assert not list(sweep.store.glob("locks/*.lock"))

    spied = Sweep(
        *(tmp_path, "model=custom", "model._target_=spy.lenet", "seed=0,1", "schedule.levels=1"),
        *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
        base=("train.steps=60it", "replicates=1", "controls=[]"),
        CUDA_VISIBLE_DEVICES="4,5",
    )
    said = spied.run()
    assert said.status == 0, said
    notes = [json.loads(path.read_text()) for path in tmp_path.glob("note-*")]
    devices = {
        pid: {note["devices"] for note in notes if note["pid"] == pid} for pid in {note["pid"] for note in notes}
    }
    assert sorted(map(sorted, devices.values())) == [["4"], ["5"]], "one device for each of two workers"
    assert all(any(lock.endswith(f"-{note['devices']}.lock") for lock in note["locks"]) for note in notes)


def test_a_killed_job_is_started_again_and_goes_on(basic: tuple[Sweep, Said], tmp_path: Path) -> None:
    pool = Sweep(tmp_path, "seed=0,1", *POOL)
    process = pool.start()
    deadline = time.monotonic() + 60
    while not artifacts(pool.store):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), signal.SIGKILL)
    out, err = process.communicate(timeout=150)
    assert (process.returncode, err) == (0, ""), (out, err)
    assert out.count("was ended by SIGKILL") == len(children) == 2
    assert len(pool.results()) == 2 and pool.results().items() <= basic[0].results().items()


def test_a_job_that_fails_says_so_in_one_sentence_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, monkeypatch, capfd)
    small = ("replicates=1", "schedule.levels=1", "controls=[]", "model.plan=[20,12]", "train.steps=60it")
    said = shell("-m", *small, *POOL, "train.lr=1e30,0.0012")
    (line,) = said.err.splitlines()
    assert said.status == 1 and line.startswith("lotto: job 0 (train.lr=1e+30): 1 stage(s) failed"), said
    assert len(list(tmp_path.glob("outputs/runs/digits/*/results.csv"))) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-m hydra/launcher=lotto_pool hydra.launcher.slots=0", "hydra.launcher.slots=0 is no list of slots"),
        ("-m hydra/launcher=lotto_pool hydra.launcher.retries=-1", "hydra.launcher.retries=-1 is not allowed"),
        ("-m hydra/launcher=lotto_pool hydra.launcher.threads=x", "hydra.launcher.threads=x is not allowed"),
        ("-m hydra/launcher=lotto_pool hydra.launcher.nope=1", "hydra.launcher.nope is no setting"),
        # One job on two devices: the pool's jobs are single runs, which may have several processes.
        ("-m hardware=ddp hardware.devices=2", "choose hydra/launcher=lotto_pool"),
        ("-m hardware=ddp hardware.devices=2 hydra/launcher=lotto_pool hydra.launcher.slots=0", "slots=0 is no list"),
    ],
)
def test_settings_that_are_wrong_are_refused_before_a_job_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    said = Shell(tmp_path, monkeypatch, capfd)(*line.split(), "seed=0,1")
    assert said.status == 2 and words in said.err and len(said.err.splitlines()) == 1, said


def test_every_verb_composes_with_the_launchers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, monkeypatch, capfd)
    for launcher in ("lotto_pool", "lotto_ray"):
        said = shell("plan", "--no-estimate", f"hydra/launcher={launcher}")
        assert (said.status, said.err) == (0, "")
    listed = shell("list", "hydra/launcher")
    assert all(f"  {name} " in listed.out for name in ("lotto_pool", "lotto_ray", "lotto_slurm"))
