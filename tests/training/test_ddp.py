"""Several processes that share every batch come to what one process comes to; however they are started, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from lotto.api import run_composed
from lotto.compose import composed
from lotto.data.share import Share
from lotto.errors import BadRequest
from lotto.running.devices import with_devices_counted
from lotto.spec import Spec
from lotto.store import Store
from tests.e2e import TINY, Shell, artifacts, results, start, steps_planned, steps_run
from tests.training.made_up import worst_difference
from tests.training.several import COUNT, NETWORKS, REFUSED, REGIMENS, launch, moved, trained

# Batches of 61 cannot be halved, nor can what is left at the end of an epoch.
SMALL = (
    *TINY,
    "hardware.accelerator=cpu",
    "hardware.precision=64",
    "train.batch_size=61",
    "controls=[]",
    "replicates=1",
)


@pytest.mark.parametrize(("length", "count"), [(8, 2), (7, 2), (7, 3), (3, 3), (100, 7)])
def test_shares_are_the_whole_and_alike(length: int, count: int) -> None:
    shares = [range(length)[Share(rank, count).rows(length)] for rank in range(count)]
    assert [row for share in shares for row in share] == list(range(length))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    moved = [range(100 + length)[Share(rank, count).rows(length, 100)] for rank in range(count)]
    assert [row - 100 for share in moved for row in share] == list(range(length))


# -- training ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What every process came to."""
    folder = tmp_path_factory.mktemp("together")
    processes = launch(folder)
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * COUNT, said
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(COUNT)]


@pytest.mark.parametrize("name", NETWORKS)
def test_several_processes_come_to_what_one_comes_to(together: list[dict], name: str) -> None:
    alone = trained(name)
    for made in together:
        (one,), (other,) = made["trained"][name], alone
        assert worst_difference([one], [other]) < 1e-10
        assert len(one.metrics) == len(other.metrics)
        for row, expected in zip(one.metrics, other.metrics, strict=True):
            assert row == pytest.approx(expected, abs=1e-6)
        assert one.results["test_accuracy"] == other.results["test_accuracy"]
        # All processes to the bit alike, or they would part.
        first = together[0]["trained"][name][0]
        assert all(torch.equal(tensor, first.state[key]) for key, tensor in one.state.items())
        assert one.metrics == first.metrics
        assert made["refused"][name] is None


@pytest.mark.parametrize("name", REGIMENS)
def test_masks_move_alike_in_all_processes(together: list[dict], name: str) -> None:
    (alone,) = moved(name)
    for made in together:
        (one,) = made["moved"][name]
        assert worst_difference([one], [alone]) < 1e-10
        assert one.own.keys() == alone.own.keys() and one.own
        assert all(torch.equal(kept, alone.own[path]) for path, kept in one.own.items())
        first = together[0]["moved"][name][0]
        assert all(torch.equal(tensor, first.state[key]) for key, tensor in one.state.items())


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_would_come_to_something_else_is_refused(together: list[dict], name: str) -> None:
    for made in together:
        assert made["refused"][name].startswith(f"hardware.devices={COUNT} is impossible for this network: ")


# -- the command ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The results of one process."""
    folder = tmp_path_factory.mktemp("one")
    overrides = [*SMALL, "engine=alone", f"store={folder / 'store'}"]
    run_composed(composed(overrides), folder / "run", overrides, None)
    return results(folder / "run", "wall_seconds", "cached")


@dataclass
class Lab:
    """A store and a run's folder, and the two ways to start several processes there."""

    folder: Path

    @property
    def overrides(self) -> list[str]:
        places = [f"hydra.run.dir={self.folder / 'run'}", f"store={self.folder / 'store'}"]
        return ["hardware=ddp", *SMALL, *places, "hardware.checkpoint_every=0"]

    def by_torchrun(self) -> subprocess.Popen[str]:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*torchrun, "-m", "lotto", *self.overrides], cwd=self.folder, **piped)

    def by_lightning(self) -> subprocess.Popen[str]:
        return start(self.folder, [*self.overrides, "hardware.devices=2"])

    def ended_in_the_middle(self, end: Callable[[subprocess.Popen[str], int], None]) -> tuple[int, str]:
        """Calls ``end`` with the first process and the number of the other when a checkpoint is kept; status and words of the first."""
        since = time.time()
        process = self.by_lightning()
        while not list((self.folder / "store").glob("work/*/checkpoint.safetensors")):
            assert process.poll() is None and time.time() - since < 90, process.communicate()
            time.sleep(0.005)
        (other,) = _children(process.pid)
        end(process, other)
        said = process.communicate(timeout=60)[1]
        patient = time.time() + 15
        while Path(f"/proc/{other}").exists():
            assert time.time() < patient, "the other process outlived the first"
            time.sleep(0.05)
        return process.returncode, said

    def finished(self, process: subprocess.Popen[str]) -> list[dict[str, str]]:
        """Its results, when it has gone on to the end."""
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        assert out.count("training steps run in") == 1 and 0 < steps_run(out) < 180, out + err
        store = Store(self.folder / "store")
        records = [store.record(key) for key in artifacts(store.root)]
        assert {record["ranks"] for record in records if record["kind"] == "train"} == {2}
        assert not list((self.folder / "store" / "work").glob("*"))
        return results(self.folder / "run", "wall_seconds", "cached")


def test_one_of_them_is_killed_and_torchrun_starts_them_again(tmp_path: Path, expected: list[dict[str, str]]) -> None:
    lab = Lab(tmp_path)
    status, said = lab.ended_in_the_middle(lambda first, other: os.kill(other, signal.SIGKILL))
    # Lightning, which looks after them every few seconds, may be faster than the sentence.
    assert status == -signal.SIGKILL or (status == 1 and "the same command goes on" in said), said
    assert "Traceback" not in said
    _equal(lab.finished(lab.by_torchrun()), expected)


def test_asked_to_leave_and_started_again_by_lightning(tmp_path: Path, expected: list[dict[str, str]]) -> None:
    lab = Lab(tmp_path)
    status, said = lab.ended_in_the_middle(lambda first, other: first.terminate())
    assert status == 143 and said.strip().splitlines()[-1].startswith("lotto: terminated"), said
    _equal(lab.finished(lab.by_lightning()), expected)


def _equal(found: list[dict[str, str]], expected: list[dict[str, str]]) -> None:
    def rounded(row: dict[str, str]) -> dict[str, str]:
        return {**row, "val_loss_min": f"{float(row['val_loss_min']):.9f}"}

    assert list(map(rounded, found)) == list(map(rounded, expected))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# -- what is refused -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-m", "hardware=ddp", "hardware.devices=2", "seed=0,1"), "is refused in this multirun"),
        (("-m", "hardware.devices=1,2"), "is refused in this multirun"),
        (("hardware=ddp", "hardware.accelerator=cpu"), "hardware.devices=auto finds no GPU here"),
        (("hardware.devices=0",), "hardware.devices=0 is not a whole number of 1 or more."),
        (("hardware.devices=2", "engine=stacked"), "engine=stacked is impossible where several hardware.devices"),
        (("hardware.devices=2", "hardware.compile=true"), "hardware.compile=true takes a network for one process"),
        (
            ("hardware.devices=99",),
            "hardware.devices=99 cannot share fewer examples: train.batch_size=60 makes batches of 60.",
        ),
    ],
)
def test_refused_in_one_sentence(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    said = shell(*arguments, *TINY, "store=store")
    assert said.status == 2 and words in said.err and len(said.err.strip().splitlines()) == 1, said
    assert not (shell.folder / "store").exists()


@pytest.mark.parametrize(
    ("environment", "devices", "words"),
    [
        ({"WORLD_SIZE": "4"}, 2, "hardware.devices=2, but 4 processes were started"),
        ({"WORLD_SIZE": "4"}, 1, "hardware.devices=1, but 4 processes were started: choose hardware=ddp."),
        ({}, 2, "hardware.devices=2 from Python: start the script with torchrun"),
    ],
)
def test_a_wrong_number_of_processes(
    spec_of: Callable[..., Spec],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    devices: int,
    words: str,
) -> None:
    if environment:
        monkeypatch.setenv("LOCAL_RANK", "0")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadRequest, match=words):
        with_devices_counted(spec_of("hardware=cpu", f"hardware.devices={devices}"))


def test_what_is_left_at_the_end_of_an_epoch_must_be_enough(spec_of: Callable[..., Spec], monkeypatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "20")
    examples = spec_of().data.train
    size = next(size for size in range(30, 60) if 0 < examples % size < 20)
    with pytest.raises(BadRequest, match=f"train.batch_size={size} leaves {examples % size} at the end of an epoch"):
        with_devices_counted(spec_of("hardware=ddp", "hardware.accelerator=cpu", f"train.batch_size={size}"))
    left_out = spec_of("hardware=ddp", "hardware.accelerator=cpu", f"train.batch_size={size}", "train.drop_last=true")
    assert with_devices_counted(left_out).hardware.devices == 20


def test_a_plan_starts_nobody(shell: Shell) -> None:
    said = shell("plan", "hardware=ddp", "hardware.devices=2", *TINY, "store=store")
    assert said.status == 0 and steps_planned(said.out) > 0, said
    assert "no estimate: how fast several hardware.devices share a batch" in said.out


def test_devices_are_no_part_of_a_result(spec_of: Callable[..., Spec]) -> None:
    from lotto.plan import Plan

    assert Plan.of(spec_of("hardware.devices=2")).stages.keys() == Plan.of(spec_of()).stages.keys()
