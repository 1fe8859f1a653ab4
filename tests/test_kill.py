"""A run killed at any moment, two runs at once, and a damaged store: the results are those of one quiet run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lotto.api import run_composed
from lotto.compose import composed
from lotto.store import Store
from tests.e2e import TINY, artifacts, results, start, steps_planned, steps_run

OPTIONS = (*TINY, "hardware.checkpoint_every=0")

pytestmark = pytest.mark.usefixtures("without_figures")


class Lab:
    """A store and a run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.run_folder = folder, folder / "store", folder / "run"

    @property
    def overrides(self) -> list[str]:
        return [*OPTIONS, f"store={self.store}", f"hydra.run.dir={self.run_folder}"]

    def run(self) -> int:
        """Run in this process; returns the steps trained."""
        config = composed(self.overrides)
        return run_composed(config, self.run_folder, self.overrides, None).steps

    def results(self, *without: str) -> list[dict[str, str]]:
        return results(self.run_folder, "wall_seconds", *without)

    def unfinished(self) -> list[Path]:
        return list((self.store / "work").glob("*"))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A run that nothing disturbed."""
    lab = Lab(tmp_path_factory.mktemp("quiet"))
    lab.run()
    return lab


def _child(arguments: list[str], out: str) -> None:
    """What ``python -m lotto`` does, its output in a file."""
    with Path(out).open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["lotto", *arguments]
    from lotto.cli import main

    main()


@pytest.fixture(scope="module")
def launch() -> Callable[[list[str], Path], multiprocessing.process.BaseProcess]:
    """Starts lotto in a process of its own, forked from one that has imported everything: ten starts cost one import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["lotto.running.runner", "lotto.report.write", "lotto.tickets", "lotto.data.digits", "sklearn.datasets"]
    )

    def launched(arguments: list[str], out: Path) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=_child, args=(arguments, str(out)))
        process.start()
        return process

    return launched


def _inside_a_training(lab: Lab, before: set[str], since: float) -> bool:
    """A checkpoint was taken since this process was started."""
    checkpoints = lab.store.glob("work/*/checkpoint.safetensors")
    return any(_changed(path) > since for path in checkpoints)


def _between_stages(lab: Lab, before: set[str], since: float) -> bool:
    """Something was published by this process."""
    return bool(artifacts(lab.store) - before)


def _while_publishing(lab: Lab, before: set[str], since: float) -> bool:
    """An artifact is being written aside: the folder of a checkpoint has no dash in its name."""
    return any("-" in path.name and _changed(path) > since for path in lab.store.glob("work/*"))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def test_killed_at_any_moment_and_started_again(
    quiet: Lab, tmp_path: Path, launch: Callable[[list[str], Path], multiprocessing.process.BaseProcess]
) -> None:
    lab, out = Lab(tmp_path), tmp_path / "said"
    chance = random.Random(20190311)
    moments = [_inside_a_training, _between_stages, _while_publishing] * 2
    chance.shuffle(moments)
    kills, killed_at = 0, set()
    for moment in [*moments, None]:
        before, since = artifacts(lab.store), time.time()
        process = launch(lab.overrides, out)
        while process.is_alive() and not (moment and moment(lab, before, since)):
            assert time.time() - since < 60, out.read_text()
            time.sleep(0.001)
        if moment:
            time.sleep(chance.choice([0, 0, 0.002, 0.02]))
            process.kill()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL, out.read_text()
        kills += 1
        killed_at.add(moment)
    assert process.exitcode == 0, out.read_text()
    assert kills >= 4 and len(killed_at) == 3, f"only {kills} kills in {killed_at}"
    assert lab.results() == quiet.results()
    assert artifacts(lab.store) == artifacts(quiet.store)
    ours, theirs = Store(lab.store), Store(quiet.store)
    assert all(ours.verify(key) and ours.metrics(key) == theirs.metrics(key) for key in artifacts(quiet.store))
    assert lab.unfinished() == []


def test_two_processes_on_one_empty_store_share_the_work(quiet: Lab, tmp_path: Path) -> None:
    labs = [Lab(tmp_path), Lab(tmp_path)]
    labs[1].run_folder = tmp_path / "run2"
    planned = steps_planned("\n".join(_plan_of(labs[0])))
    processes = [start(tmp_path, lab.overrides) for lab in labs]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sum(steps_run(out) for out, _ in said) == planned
    for lab in labs:
        assert lab.results("cached") == quiet.results("cached")
    # Bits depend on the company, so a stack is one process's or the other's.
    stacks = [
        {key: Store(lab.store).record(key).get("stack") for key in artifacts(quiet.store)} for lab in (labs[0], quiet)
    ]
    assert stacks[0] == stacks[1]
    assert labs[0].unfinished() == []


def _plan_of(lab: Lab) -> list[str]:
    from lotto.compose import read_spec
    from lotto.experiment import summary_line
    from lotto.plan import Plan

    return [summary_line(Plan.of(read_spec(composed(lab.overrides))), Store(lab.store))]


@pytest.mark.parametrize("name", ["tensors.safetensors", "metrics.jsonl", "stage.json"])
def test_a_flipped_byte_is_found_and_the_stage_is_run_again(quiet: Lab, name: str) -> None:
    expected = quiet.results("cached")
    key = next(row["key"] for row in expected if row["level"] == "1" and row["branch"] == "ticket")
    path = Store(quiet.store).folder(key) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    aside = set((quiet.store / "damaged").glob("*"))
    assert quiet.run() > 0
    assert [folder.name.split("-")[0] for folder in set((quiet.store / "damaged").glob("*")) - aside] == [key]
    assert quiet.results("cached") == expected
    assert [row["key"] for row in quiet.results() if row["cached"] == "false"] == [key]
    assert quiet.run() == 0


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [(signal.SIGINT, 130, "lotto: interrupted"), (signal.SIGTERM, 143, "lotto: terminated")],
)
def test_interrupted_by_the_user_in_mid_training(
    sent: signal.Signals,
    status: int,
    words: str,
    quiet: Lab,
    tmp_path: Path,
    launch: Callable[[list[str], Path], multiprocessing.process.BaseProcess],
) -> None:
    lab, out = Lab(tmp_path), tmp_path / "said"
    process = launch(lab.overrides, out)
    while process.is_alive() and not _inside_a_training(lab, set(), 0):
        time.sleep(0.001)
    os.kill(process.pid, sent)
    process.join(60)
    said = out.read_text()
    assert process.exitcode == status and words in said and "Traceback" not in said, said
    assert not list((lab.store / "locks").glob("*.lock"))
    lab.run()
    assert lab.results("cached") == quiet.results("cached") and lab.unfinished() == []
