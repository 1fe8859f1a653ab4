"""Accuracy on what is trained on and on what is held out against the steps, which stand by their logarithm: whether a network groks."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from lotto.report.branches import TICKET, in_order, look
from lotto.report.figures import HEIGHT, INK, LEGEND_COLUMNS, LEGEND_ROW, STYLE, WIDTH, save

DENSE = "dense"
_THIN, _FAINT = 0.8, 0.35


def first_times_figure(curves: pd.DataFrame, level: int, path_without_suffix: Path) -> tuple[Path, ...]:
    """Draw the dense network beside everything of ``level`` and write it as PNG, SVG and PDF; no file without held-out accuracies.

    Args:
        curves: a row for every evaluation: ``line`` (the branch), ``level``, ``replicate``, ``step``, ``train_accuracy`` and
            ``val_accuracy``.
    """
    figure = draw_first_times(curves, level)
    return save(figure, path_without_suffix) if figure else ()


def draw_first_times(curves: pd.DataFrame, level: int) -> Figure | None:
    """Held-out accuracy of every replicate as a line, training accuracy of the dense network and the ticket as a faint dashed one."""
    if curves.empty or "val_accuracy" not in curves:
        return None
    known = curves[curves["level"].isin((0, level)) & (curves["step"] > 0)]
    known = known.assign(line=known["line"].where(known["level"] > 0, DENSE))
    lines = [DENSE, *in_order(known["line"][known["line"] != DENSE])]
    with mpl.rc_context(STYLE):
        rows = -(-(len(lines) + 1) // LEGEND_COLUMNS)
        figure = Figure(figsize=(WIDTH, HEIGHT + rows * LEGEND_ROW), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y")
        for line in lines:
            colour, own = colour_of(line), known[known["line"] == line]
            for _, replicate in own.groupby("replicate"):
                axes.plot(replicate["step"], replicate["val_accuracy"], color=colour, linewidth=_THIN)
                if line in (DENSE, TICKET):
                    axes.plot(
                        replicate["step"],
                        replicate["train_accuracy"],
                        "--",
                        color=colour,
                        linewidth=_THIN,
                        alpha=_FAINT,
                    )
        axes.set_xscale("log")
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        axes.set_xlabel("training step")
        axes.set_ylabel("accuracy (%)")
        keys = [Line2D([], [], color=colour_of(line), label=f"{line}, held out") for line in lines]
        keys.append(Line2D([], [], color=INK, linestyle="--", alpha=_FAINT, label="training set"))
        figure.legend(handles=keys, loc="outside upper center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=1.6)
    return figure


def colour_of(line: str) -> str:
    """As everywhere, and ink for the dense network."""
    return INK if line == DENSE else look(line).colour
