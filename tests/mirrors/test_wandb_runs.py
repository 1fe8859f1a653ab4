"""``logger=wandb``: one offline run for each ticket line, equal to the store to the last digit, and no line twice."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from lotto.api import mirror_again
from lotto.compose import composed
from lotto.errors import BadRequest
from lotto.mirrors.line import lines_of
from lotto.mirrors.mirror import Files
from lotto.mirrors.wandb_runs import WandbRuns
from tests.e2e import artifacts, start
from tests.mirrors.lab import Lab, WandbRun, folders

pytest.importorskip("wandb", reason="wandb is not installed: nothing was mirrored to it")

pytestmark = pytest.mark.usefixtures("without_figures")

NUMBERS = (
    *("replicate", "level", "density", "weights_remaining", "weights_total", "early_stop_step", "val_loss_min"),
    *("test_accuracy_early_stop", "test_accuracy", "train_steps", "wall_seconds", "val_accuracy", "sample"),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished run. Tests that change what it left make a copy of it, or mirror the store into another folder."""
    lab = Lab(tmp_path_factory.mktemp("wandb"), ("logger=wandb",))
    lab.run()
    return lab


@pytest.fixture
def copy(lab: Lab, tmp_path: Path) -> Lab:
    """The same run's folder in another place, its store where it was."""
    copy = Lab(tmp_path)
    shutil.copytree(lab.run_folder, copy.run_folder)
    notes = copy.run_folder / ".hydra"
    notes.mkdir()
    config = composed(lab.overrides)
    OmegaConf.save(OmegaConf.masked_copy(config, [name for name in config if name != "hydra"]), notes / "config.yaml")
    return copy


def lines(lab: Lab) -> dict[tuple[str, str], WandbRun]:
    """The runs by branch and replicate; no line may have two."""
    found = lab.wandb_runs()
    named = {(run.about["config"]["branch"], str(run.about["config"]["replicate"])): run for run in found}
    assert len(named) == len(found)
    return named


def summary(run: WandbRun) -> dict[str, Any]:
    """What lotto says of a run, without what W&B adds."""
    return {name: value for name, value in run.about["summary"].items() if not name.startswith("_")}


def rows_of(lab: Lab, run: WandbRun) -> list[dict[str, str]]:
    branch, replicate = run.about["config"]["branch"], str(run.about["config"]["replicate"])
    return [row for row in lab.rows() if (row["branch"], row["replicate"]) == (branch, replicate)]


def test_every_line_is_a_run_of_its_own(lab: Lab) -> None:
    assert set(lines(lab)) == {(branch, replicate) for branch in ("ticket", "reinit") for replicate in "01"}
    for (branch, replicate), run in lines(lab).items():
        assert run.started["run_group"] == "digits" and run.started["job_type"] == branch
        assert run.started["display_name"] == f"imp-magnitude-{branch}-replicate{replicate}"
        assert (run.about["state"], run.about["exit_code"]) == ("finished", 0)


def test_the_summary_is_the_results_to_the_last_digit(lab: Lab) -> None:
    for run in lines(lab).values():
        shown, rows = summary(run), rows_of(lab, run)
        for row in rows:
            level = shown[f"level{int(row['level']):02d}"]
            assert {name: float(row[name]) for name in level if name in NUMBERS} == {
                name: value for name, value in level.items() if name in NUMBERS
            }
            assert level["key"] == row["key"]
        assert {name: shown[name] for name in NUMBERS[1:]} == {name: float(rows[-1][name]) for name in NUMBERS[1:]}


def test_the_history_is_the_metrics_of_every_level(lab: Lab) -> None:
    for run in lines(lab).values():
        expected = []
        for row in rows_of(lab, run):
            expected += [
                {f"training/{name}": value for name, value in measured.items()}
                for measured in lab.store.metrics(row["key"])
            ]
            expected.append({"test_accuracy": float(row["test_accuracy"]), "level": int(row["level"])})
        history = run.history()
        assert len(history) == len(expected)
        for record, numbers in zip(history, expected, strict=True):
            assert {name: record[name] for name in numbers} == numbers
            assert {"level", "density"} <= record.keys()
        axis = [record["training/line_step"] for record in history if "training/line_step" in record]
        assert axis == sorted(axis) and axis[-1] == 60 * len(rows_of(lab, run))


def test_the_configuration_is_flat_and_complete(lab: Lab) -> None:
    for run in lines(lab).values():
        config = {name: value for name, value in run.about["config"].items() if name != "_wandb"}
        assert (config["train/optimizer/_target_"], config["train/steps"]) == (
            lab.spec.train.optimizer["_target_"],
            "60it",
        )
        assert {"seed", "replicates", "model/plan", "schedule/levels", "store", "engine", "series"} <= config.keys()
        assert not any(isinstance(value, dict) and value for value in config.values())
        assert not any("." in name for name in config)


def test_tags_say_method_branch_level_and_density(lab: Lab) -> None:
    for run in lines(lab).values():
        branch, last = run.about["config"]["branch"], rows_of(lab, run)[-1]
        tags = run.of("run")[-1]["tags"]
        assert tags == ["imp", "magnitude", branch, f"density:{float(last['density']):.3g}", "level:2"]


def test_two_runs_in_one_process_do_not_merge(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path, ("logger=wandb", "seed=1", "controls=[]"))
    other.run()
    ours, theirs = ({run.started["run_id"] for run in one.wandb_runs()} for one in (lab, other))
    assert (len(ours), len(theirs), ours & theirs) == (4, 2, set())
    for run in other.wandb_runs():
        assert {row["key"] for row in rows_of(other, run)} == {item["key"] for item in run.history() if "key" in item}


def test_mirroring_again_changes_nothing(lab: Lab, copy: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    before = folders(lab.wandb)
    lab.run()
    assert folders(lab.wandb) == before
    before = folders(copy.wandb)
    assert mirror_again("wandb", [copy.run_folder], [], sys.stdout) == 0
    assert folders(copy.wandb) == before
    assert f"wandb sync {copy.wandb}/offline-run-*" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["seven bytes", "cut", "never finished"])
def test_what_a_killed_process_left_is_replaced(lab: Lab, damage: str, copy: Lab) -> None:
    names = {run.folder.name for run in copy.wandb_runs()}
    (line,) = (run.folder for (branch, replicate), run in lines(copy).items() if (branch, replicate) == ("reinit", "1"))
    (file,) = line.glob("run-*.wandb")
    if damage == "never finished":
        (line / "lotto.json").unlink()
    else:
        file.write_bytes(file.read_bytes()[: 7 if damage == "seven bytes" else file.stat().st_size // 2])
    assert mirror_again("wandb", [copy.run_folder], [], sys.stdout) == 0
    left = {run.folder.name for run in copy.wandb_runs()}
    assert len(left) == len(names) == 4 and names - left == {line.name}
    assert summary(lines(copy)["reinit", "1"]) == summary(lines(lab)["reinit", "1"])


def test_another_setting_replaces_every_line(copy: Lab) -> None:
    before = set(folders(copy.wandb))
    figure = copy.run_folder / "figures" / "accuracy.png"
    figure.parent.mkdir(exist_ok=True)
    from PIL import Image

    Image.new("RGB", (4, 4)).save(figure)
    asked = [f"logger.wandb.{option}=true" for option in ("masks", "figure", "artifact")]
    assert mirror_again("wandb", [copy.run_folder], asked, sys.stdout) == 0
    assert len(copy.wandb_runs()) == 4 and not before & set(folders(copy.wandb))
    for (branch, replicate), run in lines(copy).items():
        masks = [item for item in run.history() if "mask/fc/weight._type" in item]
        assert [item["level"] for item in masks] == [1, 2]
        # The last layer has a unit for each of the ten digits.
        assert (masks[-1]["mask/fc/weight._type"], sum(masks[-1]["mask/fc/weight.values"])) == ("histogram", 10)
        assert any("figure/accuracy._type" in item for item in run.history()) == (branch == "ticket")
        assert len(run.of("artifact")) == int((branch, replicate) == ("ticket", "0"))


def test_a_run_that_was_killed_and_started_again(lab: Lab, tmp_path: Path) -> None:
    killed = Lab(tmp_path, ("logger=wandb",))
    process = start(tmp_path, ["run", *killed.overrides])
    began = time.monotonic()
    while process.poll() is None and not list(killed.wandb.glob("offline-run-*/run-*.wandb")):
        assert time.monotonic() - began < 120
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list(killed.wandb.glob("offline-run-*/lotto.json"))
    killed.run()
    assert {branch: run.started["run_id"] for branch, run in lines(killed).items()} == {
        branch: run.started["run_id"] for branch, run in lines(lab).items()
    }
    for run in lines(killed).values():
        assert (run.about["state"], run.about["exit_code"]) == ("finished", 0)
        accuracies = [item["test_accuracy"] for item in run.history() if "test_accuracy" in item]
        assert accuracies == [float(row["test_accuracy"]) for row in rows_of(killed, run)]


def test_the_environment_of_another_run_is_not_this_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RUN_ID", "other"), ("RESUME", "must"), ("NAME", "other"), ("MODE", "online"), ("TAGS", "x")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    lab = Lab(tmp_path, ("logger=wandb", "controls=[]", "replicates=1", "schedule.levels=1"))
    lab.run()
    (run,) = lab.wandb_runs()
    assert run.started["display_name"] == "imp-magnitude-ticket-replicate0" and run.started["run_id"] != "other"
    assert os.environ["WANDB_RUN_ID"] == "other"


def test_sending_is_refused_without_a_key_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    lab = Lab(tmp_path, ("logger=wandb", "logger.wandb.mode=online"))
    with pytest.raises(BadRequest, match="needs a key: run wandb login"):
        lab.run()
    assert artifacts(lab.store.root) == set() and not lab.run_folder.exists()


def test_a_line_that_is_ended_before_its_first_row_is_not_taken_for_whole(lab: Lab, tmp_path: Path) -> None:
    line = lines_of(lab.spec, lab.plan)[0]
    mirror = WandbRuns(tmp_path)
    mirror.begin(line)
    mirror.end(line, 130, Files())
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert WandbRun(folder).about["exit_code"] == 130
    assert not mirror.holds(line, list(line.rows(lab.store, lab.spec, line.entries)))


def test_disabled_leaves_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ("logger=wandb", "logger.wandb.mode=disabled", "controls=[]", "schedule.levels=1"))
    lab.run()
    assert lab.rows() and not lab.wandb.exists()
