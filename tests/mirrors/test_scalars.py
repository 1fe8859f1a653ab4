"""``logger=[csv,tensorboard]``: the store's numbers in flat files and events."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tests.mirrors.lab import Lab

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: its events were not written")
    lab = Lab(tmp_path_factory.mktemp("scalars"), ("logger=[csv,tensorboard]",))
    lab.run()
    lab.run()  # what is there already is replaced
    return lab


def names(lab: Lab) -> set[str]:
    return {f"imp-magnitude-{branch}-replicate{replicate}" for branch in ("ticket", "reinit") for replicate in (0, 1)}


def rows_of(lab: Lab, name: str) -> list[dict[str, str]]:
    return [row for row in lab.rows() if f"{row['branch']}-replicate{row['replicate']}" in name]


def test_flat_files_hold_the_store_to_the_last_digit(lab: Lab) -> None:
    assert {path.stem for path in (lab.run_folder / "scalars").iterdir()} == names(lab)
    for name in names(lab):
        with (lab.run_folder / "scalars" / f"{name}.csv").open(newline="") as file:
            found = list(csv.DictReader(file))
        outcomes = [record for record in found if record["key"]]
        for record, row in zip(outcomes, rows_of(lab, name), strict=True):
            assert {column: row[column] for column in record if column in row} == {
                column: text for column, text in record.items() if column in row
            }
            measured = [one for one in found if one["level"] == row["level"] and not one["key"]]
            stored = lab.store.metrics(row["key"])
            assert [float(one["training/val_loss"]) for one in measured] == [one["val_loss"] for one in stored]
            assert [int(one["training/step"]) for one in measured] == [one["step"] for one in stored]


def test_events_are_read_back_by_tensorboard(lab: Lab) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert {path.name for path in (lab.run_folder / "tensorboard").iterdir()} == names(lab)
    for name in names(lab):
        folder = lab.run_folder / "tensorboard" / name
        assert len(list(folder.glob("events.out.tfevents.*"))) == 1
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        events.Reload()
        rows = rows_of(lab, name)
        accuracies = events.Scalars("results/test_accuracy")
        assert [event.step for event in accuracies] == [int(row["level"]) for row in rows]
        assert [event.value for event in accuracies] == [np.float32(row["test_accuracy"]) for row in rows]
        losses = [measured["val_loss"] for row in rows for measured in lab.store.metrics(row["key"])]
        assert [event.value for event in events.Scalars("training/val_loss")] == [np.float32(loss) for loss in losses]
        assert [event.step for event in events.Scalars("training/val_loss")][-1] == 60 * len(rows)
        assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= events.summary_metadata.keys()
        settings = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
        assert b"train/lr" in settings and b"model/plan" in settings
