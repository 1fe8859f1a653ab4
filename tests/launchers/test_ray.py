"""A sweep on a Ray cluster of two nodes with pretend GPUs; and what is said where Ray is not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lotto.errors import BadRequest
from lotto.launchers.command import Command
from lotto.launchers.on_ray import run_on_ray
from tests.e2e import artifacts
from tests.launchers.sweeps import Sweep

with_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed, not tested")

# Notes where it runs; the first time it is killed, if it is to be.
JOB = """
import os, signal, sys
folder, dies = sys.argv[1:]
open(os.path.join(folder, f"run-{os.getpid()}"), "w").write(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
if dies == "always" or (dies == "once" and len([n for n in os.listdir(folder) if n.startswith("run-")]) == 1):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadRequest, match=r"needs Ray, which is not installed: pip install 'lotto\[ray\]'"):
        run_on_ray([Command(0, "", (), tmp_path)], None, None, 1, 0, {})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=2, num_gpus=1)
    nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


@with_ray
def test_jobs_on_two_nodes_are_started_again_when_they_die(
    cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = (sys.executable, "-I", "-S", "-c", JOB)
    dies = ["never", "once", "always", "never", "never", "never"]
    commands = [
        Command(n, f"seed={n}", (str(tmp_path / str(n)), word), tmp_path / str(n), job) for n, word in enumerate(dies)
    ]
    failures = run_on_ray(commands, cluster.address, None, 1, 2, {})
    assert [str(failure) for failure in failures] == [f"job 2 (seed=2) was ended by SIGKILL ({tmp_path}/2/output.log)."]
    assert [len(list((tmp_path / str(n)).glob("run-*"))) for n in range(6)] == [1, 2, 3, 1, 1, 1]
    assert {path.read_text() for path in tmp_path.glob("*/run-*")} == {"0"}, "one of its own GPUs on either node"
    assert "5 of 6 jobs done, 1 failed, 3 started again" in capfd.readouterr().out


@with_ray
def test_a_sweep_on_ray_gives_the_same_results(cluster: Any, tmp_path: Path) -> None:
    points = ("seed=0,1", "schedule.levels=2", "replicates=1")
    sequential = Sweep(tmp_path / "basic", *points)
    ray = Sweep(tmp_path / "ray", *points, "hydra/launcher=lotto_ray", f"hydra.launcher.address={cluster.address}")
    said = sequential.run(), ray.run()
    assert [each.status for each in said] == [0, 0], said
    assert len(ray.results()) == 2 and ray.results() == sequential.results()
    assert artifacts(ray.store) == artifacts(sequential.store)
