"""The table of first times, with what never came, and its figure."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from lotto.report.first_times import first_times
from lotto.report.first_times_figure import draw_first_times, first_times_figure

NAN = float("nan")


def readings(
    branch: str, level: int, replicate: int, train: float, held_out: float, budget: float = 9000
) -> list[dict]:
    """What the probe reads of one network, at one threshold."""
    least = (budget if pd.isna(held_out) else held_out) - train
    measures = {
        "budget": budget,
        "best_train": 1.0,
        "best_held_out": 0.25 if pd.isna(held_out) else 0.997,
        "train_step_95": train,
        "held_out_step_95": held_out,
        "tau_95": held_out - train,
        "tau_least_95": least,
    }
    place = {"probe": "hitting", "branch": branch, "level": level, "replicate": replicate, "sample": 0}
    density = 1.0 if level == 0 or branch == "norm_l1" else 0.4
    return [{**place, "density": density, "measure": name, "value": value} for name, value in measures.items()]


TABLE = pd.DataFrame(
    [
        *readings("ticket", 0, 0, 220, 5440),
        *readings("ticket", 0, 1, 210, 6120),
        *readings("shuffle", 1, 0, 580, NAN),
        *readings("shuffle", 1, 1, NAN, NAN),
        *readings("ticket", 1, 0, 260, 470),
        *readings("norm_l1", 1, 0, 240, 2000),
        {"probe": "norms", "branch": "ticket", "level": 0, "replicate": 0, "sample": 0, "measure": "l1", "value": 3.0},
    ]
)


def test_every_replicate_is_there_and_what_never_came_is_more_than_the_budget() -> None:
    grid = first_times(TABLE)
    assert grid is not None
    assert grid.header == (
        "level", "weights %", "branch", "train 95%", "held out 95%", "delay 95%", "best held out %",
    )  # fmt: skip
    assert grid.rows == (
        ("0", "100", "dense", "220, 210", "5,440, 6,120", "5,220, 5,910", "99.7, 99.7"),
        ("1", "40.0", "ticket", "260", "470", "210", "99.7"),
        ("1", "40.0", "shuffle", "580, > 9,000", "> 9,000, > 9,000", "> 8,420, –", "25.0, 25.0"),  # noqa: RUF001
        ("1", "100", "norm_l1", "240", "2,000", "1,760", "99.7"),
    )


def test_the_points_of_a_sweep_have_rows_of_their_own_and_seeds_do_not() -> None:
    both = pd.concat(
        [
            TABLE.assign(**{"axis:seed": seed, "axis:run": run})
            for run, seed in (("final", 0), ("final", 1), ("early", 0))
        ]
    )
    grid = first_times(both, ["axis:run"])
    assert grid is not None
    assert grid.header[:2] == ("run", "level")
    assert [row[0] for row in grid.rows] == ["final"] * 4 + ["early"] * 4
    assert grid.rows[1][4] == "260, 260"
    assert grid.rows[5][4] == "260"


def test_without_the_probe_there_is_no_table() -> None:
    assert first_times(None) is None
    assert first_times(TABLE[TABLE["probe"] == "norms"]) is None


def test_it_is_printed_whole_and_as_markdown() -> None:
    grid, stream = first_times(TABLE), io.StringIO()
    assert grid is not None
    grid.print(stream)
    assert "> 9,000, > 9,000" in stream.getvalue()
    assert "First times" in stream.getvalue()
    lines = grid.markdown().splitlines()
    assert len(lines) == 2 + len(grid.rows)
    assert {line.count("|") for line in lines} == {len(grid.header) + 1}


def curves() -> pd.DataFrame:
    rows = [
        {"line": line, "level": level, "replicate": replicate, "step": step, "val_accuracy": 0.1, "train_accuracy": 0.2}
        for line, level in (("ticket", 0), ("ticket", 1), ("shuffle", 1), ("ticket", 2))
        for replicate in range(2)
        for step in (0, 10, 20)
    ]
    return pd.DataFrame(rows)


def test_the_figure_has_a_line_for_every_replicate_and_starts_behind_step_0(tmp_path: Path) -> None:
    figure = draw_first_times(curves(), level=1)
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    # dense, ticket and shuffle held out; dense and ticket on the training set: two replicates each
    assert len(axes.lines) == 2 * (3 + 2)
    assert all(min(line.get_xdata()) == 10 for line in axes.lines)
    assert {path.suffix for path in first_times_figure(curves(), 1, tmp_path / "made")} == {".png", ".svg", ".pdf"}


@pytest.mark.parametrize("made", [pd.DataFrame(), curves().drop(columns="val_accuracy")], ids=["empty", "no held-out"])
def test_without_held_out_accuracies_nothing_is_drawn(made: pd.DataFrame, tmp_path: Path) -> None:
    assert first_times_figure(made, 1, tmp_path / "made") == ()
