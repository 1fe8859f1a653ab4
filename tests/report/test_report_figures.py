from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from lotto.report.axes import LABEL_SHARE, accuracy_floor, labelled
from lotto.report.branches import KNOWN, look
from lotto.report.figures import accuracy_figure, draw_accuracy, draw_early_stop, early_stop_figure, render
from tests.report.report_examples import simulate, small, without_validation


def test_both_figures_are_written_and_not_blank(tmp_path: Path) -> None:
    table = simulate(replicates=2, levels=4)

    paths = [*accuracy_figure(table, tmp_path / "accuracy"), *early_stop_figure(table, tmp_path / "early.stop")]

    assert {path.name for path in paths} == {
        f"{stem}.{suffix}" for stem in ("accuracy", "early.stop") for suffix in ("png", "svg", "pdf")
    }
    for path in paths:
        if path.suffix == ".png":
            pixels = np.asarray(Image.open(path).convert("RGB"))
            assert pixels.shape[1] == 700
            assert 0.02 < (pixels < 250).any(axis=2).mean() < 0.5
            blue = np.abs(pixels.astype(int) - [0x00, 0x72, 0xB2]).max(axis=2) < 8
            assert blue.sum() > 200


def test_the_same_table_gives_the_same_bytes() -> None:
    table = simulate(replicates=2, levels=3, controls=("reinit",))

    for suffix in ("svg", "pdf"):
        assert render(draw_accuracy(table), suffix) == render(draw_accuracy(table), suffix)


def test_a_branch_keeps_its_colour_whatever_stands_beside_it() -> None:
    for controls in (("reinit", "shuffle"), ("shuffle",)):
        axes = draw_accuracy(simulate(replicates=1, levels=2, controls=controls)).axes[0]
        colours = {str(line.get_label()).split(" ")[0]: to_hex(line.get_color()) for line in axes.lines}
        assert colours["ticket"] == KNOWN["ticket"].colour
        assert colours["shuffle"] == KNOWN["shuffle"].colour
    assert look("my_control") == look("my_control")


def test_known_branches_share_neither_colour_nor_marker() -> None:
    assert (
        len({style.colour for style in KNOWN.values()}) == len({style.marker for style in KNOWN.values()}) == len(KNOWN)
    )


def test_density_falls_to_the_right_on_a_logarithm() -> None:
    axes = draw_accuracy(simulate(replicates=1)).axes[0]

    left, right = axes.get_xlim()
    assert left > right
    assert axes.get_xscale() == "log"
    texts = [label.get_text() for label in axes.get_xticklabels()]
    assert (texts[0], texts[-1]) == ("100", "3.5")


def test_labels_are_far_enough_apart_to_be_read() -> None:
    levels = [0.8**level for level in range(30)]

    named = np.log(labelled(levels))

    assert (-np.diff(named) / np.log(levels[0] / levels[-1]) >= LABEL_SHARE).all()
    assert labelled([1.0]) == [1.0]


def test_a_collapsed_level_is_marked_below_the_axis() -> None:
    table = simulate(replicates=2)
    table.loc[table["level"] == 15, "test_accuracy"] = 0.1135

    axes = draw_accuracy(table).axes[0]

    assert axes.get_ylim()[0] > 0.9
    (note,) = axes.texts
    assert note.get_text() == "3 means below the axis; lowest 11.3%\n(ticket, 3.5% of weights)"


def test_nothing_is_hidden_where_nothing_collapsed() -> None:
    means = pd.Series([0.98, 0.975, 0.97])

    assert accuracy_floor(means, means - 0.001) == pytest.approx(0.969)
    assert accuracy_floor(means * 0 + 0.98, means * 0 + 0.98) == pytest.approx(0.975)


def test_the_early_stop_figure_needs_a_validation_split(tmp_path: Path) -> None:
    table = without_validation(simulate(replicates=1, levels=2))

    assert draw_early_stop(table) is None
    assert early_stop_figure(table, tmp_path / "early_stop") == ()
    assert not list(tmp_path.iterdir())


def test_the_legend_counts_replicates_and_draws() -> None:
    figure = draw_accuracy(simulate(replicates=2, levels=2, controls=("reinit",), samples=3))

    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["dense (n = 2)", "ticket (n = 2)", "reinit (n = 2, 3 draws)"]


def test_a_dense_network_alone_can_be_drawn() -> None:
    assert render(draw_accuracy(small({"ticket": [[0.98]]})), "svg")
