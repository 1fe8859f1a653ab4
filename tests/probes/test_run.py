"""Probes of a real, small experiment: what they say fits the results table, they are read once, and one that fails fails alone."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import pytest

from lotto.locks import Locks
from lotto.running.runner import POLL_SECONDS
from tests.e2e import TINY, Shell, results, steps_planned, steps_run

pytestmark = pytest.mark.usefixtures("without_figures")

CHEAP = "probes=[densities,overlap,movement,calibration]"
COMMAND = (*TINY, "hydra.run.dir=run", CHEAP)


@pytest.fixture
def lotto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def numbers(folder: Path) -> list[dict[str, str]]:
    with (folder / "probes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def probes_stored(store: Path) -> dict[str, str]:
    """When each probe's artifact was published, by key."""
    records = [json.loads(path.read_text()) for path in store.glob("[0-9a-f][0-9a-f]/*/stage.json")]
    return {path["key"]: path["published"] for path in records if path["kind"] == "probe"}


def find(rows: list[dict[str, str]], **asked: str) -> list[dict[str, str]]:
    return [row for row in rows if all(row[name] == value for name, value in asked.items())]


def test_numbers_fit_the_results_and_are_read_once(lotto: Shell) -> None:
    assert lotto(*COMMAND).status == 0
    table, found = results(lotto.folder / "run"), numbers(lotto.folder / "run")
    tickets = find(table, branch="ticket")
    for row in tickets:
        place = {name: row[name] for name in ("branch", "replicate", "level")}
        density = find(found, **place, probe="densities", measure="density", layer="")
        assert [float(number["value"]) for number in density] == [pytest.approx(float(row["density"]))]
        (remaining,) = find(found, **place, probe="densities", measure="remaining", layer="")
        assert float(remaining["value"]) == int(row["weights_remaining"])
    layers = [number["layer"] for number in find(found, probe="densities", measure="density", replicate="0", level="1")]
    assert layers == ["", "fc_layers.0.weight", "fc_layers.1.weight", "fc.weight"]
    # Masks of two replicates differ, and the dense network's do not.
    overlap = find(found, probe="overlap", measure="iou", layer="")
    assert [(row["level"], row["pair"], row["replicate"]) for row in overlap] == [
        (str(level), "0-1", "0") for level in range(3)
    ]
    assert float(overlap[0]["value"]) == 1 > float(overlap[1]["value"]) > float(overlap[2]["value"]) > 0
    # Nothing of the ticket moves but what remains.
    assert all(float(row["value"]) > 0 for row in find(found, probe="movement", measure="l2", layer=""))
    assert {row["probe"] for row in found} == {"densities", "overlap", "movement", "calibration"}

    published = probes_stored(lotto.folder / "outputs" / "store")
    assert len(published) == 3 * 2 + 3 * 2 + 3 * 2 + 3
    text = (lotto.folder / "run" / "probes.csv").read_text()
    again = lotto(*COMMAND)
    assert (again.status, steps_run(again.out)) == (0, 0)
    assert probes_stored(lotto.folder / "outputs" / "store") == published
    assert (lotto.folder / "run" / "probes.csv").read_text() == text

    # Another option is another artifact; all else is taken from the store.
    assert steps_planned(lotto("plan", *COMMAND, "probes.calibration.bins=10").out) == 0
    assert lotto(*COMMAND, "probes.calibration.bins=10").status == 0
    both = probes_stored(lotto.folder / "outputs" / "store")
    assert published.items() <= both.items()
    assert len(both) == len(published) + 6


def test_a_probe_whose_start_is_lost_has_it_made_again(lotto: Shell) -> None:
    """The mask of a trained network lies in what it was trained from, which no row needs once it is trained."""
    assert lotto(*TINY, "hydra.run.dir=run").status == 0
    store = lotto.folder / "outputs" / "store"
    starts = [
        path for path in store.glob("[0-9a-f][0-9a-f]/*/stage.json") if json.loads(path.read_text())["kind"] == "rewind"
    ]
    for path in starts:
        for part in path.parent.iterdir():
            part.unlink()
        path.parent.rmdir()
    ran = lotto(*TINY, "hydra.run.dir=run", "probes=[densities]")
    assert (ran.status, steps_run(ran.out)) == (0, 0)
    assert len(find(numbers(lotto.folder / "run"), measure="density", layer="")) == 6


def test_a_probe_that_fails_fails_alone(lotto: Shell) -> None:
    ran = lotto(*COMMAND, "probes.calibration.networks=[start]")
    assert ran.status == 1
    assert "This probe looks at the network trained: its configuration gives start." in ran.out + ran.err
    assert len(results(lotto.folder / "run")) == 6 + 4
    assert {row["probe"] for row in numbers(lotto.folder / "run")} == {"densities", "overlap", "movement"}
    failed = list((lotto.folder / "outputs" / "store" / "failed").glob("*.json"))
    assert len(failed) == 6
    assert "StageFailed" in json.loads(failed[0].read_text())["traceback"]
    # Set right, the others are not read again.
    published = probes_stored(lotto.folder / "outputs" / "store")
    mended = lotto(*COMMAND)
    assert (mended.status, steps_run(mended.out)) == (0, 0)
    assert published.items() <= probes_stored(lotto.folder / "outputs" / "store").items()


def test_a_misspelt_option_is_refused_before_anything_is_trained(lotto: Shell) -> None:
    ran = lotto(*COMMAND, "+probes.calibration.bin=10")
    assert ran.status == 2
    assert ran.err.count("\n") <= 1
    assert "got an unexpected keyword argument 'bin'" in ran.err
    assert not list((lotto.folder / "outputs" / "store").glob("[0-9a-f][0-9a-f]/*/stage.json"))


def test_a_probe_is_read_by_one_of_two_workers(lotto: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another holds a probe's lock this process leaves it alone, and takes the other's numbers once they are there."""
    assert lotto(*COMMAND).status == 0
    store = lotto.folder / "outputs" / "store"
    text = (lotto.folder / "run" / "probes.csv").read_text()
    key = min(probes_stored(store))
    artifact, aside = store / key[:2] / key, lotto.folder / "aside"
    artifact.rename(aside)

    def finish() -> None:
        aside.rename(artifact)
        other.release({key})

    def never(*given: object) -> None:
        raise AssertionError("read twice")

    other = Locks(store)
    monkeypatch.setattr("lotto.running.runner.run_probe", never)
    with other.beating():
        assert other.take({key}) == {key}
        finishing = threading.Timer(2 * POLL_SECONDS, finish)
        finishing.start()
        assert lotto(*COMMAND).status == 0
        finishing.join()
    assert (lotto.folder / "run" / "probes.csv").read_text() == text


def test_masks_of_controls_levels_and_files_are_set_side_by_side(lotto: Shell, tmp_path: Path) -> None:
    base = (*TINY, "hydra.run.dir=run", "controls=[shuffle]", "train.steps=15it")
    assert lotto(*base).status == 0
    file = next((tmp_path / "run" / "tickets").iterdir())
    given = ("probes=[overlap]", "probes.overlap.across=false", f"probes.overlap.files=[{file}]")
    chosen = ("probes.overlap.networks=[trained,ticket,previous]", "probes.overlap.branches=[ticket,shuffle]")
    said = lotto(*base, *given, *chosen)
    assert said.status == 0, said.err
    rows = find(numbers(tmp_path / "run"), measure="iou", layer="")

    def iou(pair: str, **asked: str) -> list[float]:
        return [float(row["value"]) for row in find(rows, pair=pair, **asked)]

    # A ticket is its own ticket and lies within that of the level before; a shuffled mask lies anywhere.
    assert set(iou("trained-ticket", branch="ticket")) == {1.0}
    kept = {(row["level"], row["replicate"]): int(row["weights_remaining"]) for row in results(tmp_path / "run")}
    assert iou("trained-previous", branch="ticket", level="2", replicate="1") == [
        pytest.approx(kept["2", "1"] / kept["1", "1"])
    ]
    z = find(numbers(tmp_path / "run"), measure="z", layer="", branch="shuffle", pair="trained-ticket")
    assert all(abs(float(row["value"])) < 5 for row in z)
    own = [row for row in find(rows, pair="trained-file1", branch="ticket") if float(row["value"]) == 1.0]
    assert [(row["level"], row["replicate"]) for row in own] == [(str(int(file.name[5:7])), "0")], (
        "the file is the ticket of one row"
    )

    other = lotto(*base, "model.plan=[21,12]", *given, "hydra.run.dir=other")
    assert other.status == 2
    assert "probes.overlap.files=" in other.err and "of shape [20, 64], and the LeNet's is [21, 64]" in other.err
