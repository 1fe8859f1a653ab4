"""A sweep on a Slurm cluster of one node: preempted, queued again, and the same results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import artifacts
from tests.launchers.one_node import OneNode, missing
from tests.launchers.sweeps import Sweep, steps_trained

pytestmark = pytest.mark.skipif(
    bool(missing()), reason=f"Slurm is not installed, not tested: no {', '.join(missing())}"
)

# Some seconds of training; a checkpoint only where one is asked for.
LONG = ("train.steps=3000it", "train.evaluate_every=500it", "replicates=1", "schedule.levels=1", "controls=[]")
POINTS = ("seed=0,1", "hardware.threads=1", "hardware.checkpoint_every=3600")
STEPS = 2 * 3000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNode]:
    with OneNode(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def test_preempted_jobs_are_queued_again_and_go_on_to_the_same_results(cluster: OneNode, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    quiet = Sweep(tmp_path / "quiet", *LONG, *POINTS)
    assert quiet.run().status == 0
    slurm = Sweep(
        *(tmp_path / "slurm", *LONG, *POINTS, "hydra/launcher=lotto_slurm", "hydra.launcher.cpus_per_task=1"),
        # So short that every signal counts as running out of time, which submitit by itself lets nobody do.
        *("hydra.launcher.timeout_min=5", "hydra.launcher.signal_delay_s=30"),
        **cluster.environment,
    )
    process = slurm.start()

    def said() -> str:
        return "\n".join(path.read_text() for path in sorted(slurm.folder.glob("outputs/**/*_log.out")))

    cluster.wait("both jobs to train", lambda: said().count("level 0 ticket, 1 replicate: 3,000 steps") == 2, 90)
    cluster("sbatch", "--partition=urgent", "--cpus-per-task=2", "--output=/dev/null", "--wrap=true")
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, (out, err, said(), cluster("squeue", "--states=all"))
    jobs = re.findall(r"Restarts=(\d+)", cluster("scontrol", "show", "jobs"))
    assert sorted(map(int, jobs)) == [0, 1, 1], "two were queued again, the urgent one was not"
    assert slurm.results() == quiet.results() and artifacts(slurm.store) == artifacts(quiet.store)
    # What was trained before the jobs left was kept, and not trained again.
    assert 0 < steps_trained(said()) < STEPS
