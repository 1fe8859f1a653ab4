"""The two figures of a run, sized for a column of a paper: accuracy and early-stop iteration against density."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN
from matplotlib.ticker import EngFormatter, PercentFormatter
from matplotlib.transforms import offset_copy

from lotto.report.aside import write_aside
from lotto.report.axes import accuracy_floor, density_axis
from lotto.report.branches import TICKET, in_order, look
from lotto.report.measures import ACCURACY, EARLY_STOP_STEP, Measure, accuracy_measure, weights_percent
from lotto.report.summary import summarise

WIDTH, HEIGHT = 3.5, 2.5  # inches
LEGEND_ROW = 0.17  # inches
LEGEND_COLUMNS = 2
ARROW = 4  # points
INK = "#222222"

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "pdf.fonttype": 42,
    # Names inside the SVG are hashed with this salt, which is random unless set.
    "svg.hashsalt": "lotto",
}

# Without dates and versions the same table gives the same file.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}


def accuracy_figure(table: pd.DataFrame, path_without_suffix: Path, measure: str = ACCURACY.column) -> tuple[Path, ...]:
    """Draw accuracy against density and write it as PNG, SVG and PDF; returns their paths.

    ``measure`` names the accuracy; raises ``BadRequest`` where the table has no such accuracy.
    """
    return save(draw_accuracy(table, measure), path_without_suffix)


def early_stop_figure(table: pd.DataFrame, path_without_suffix: Path) -> tuple[Path, ...]:
    """Draw the early-stop iteration against density and write it likewise; no file without a validation split."""
    figure = draw_early_stop(table)
    return save(figure, path_without_suffix) if figure else ()


def draw_accuracy(table: pd.DataFrame, measure: str = ACCURACY.column) -> Figure:
    """Mean accuracy of every branch against density, with a band from the worst to the best replicate."""
    known = accuracy_measure(measure)
    summary = _known(summarise(table), known)
    with mpl.rc_context(STYLE):
        figure, axes = _draw(summary, known)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        axes.set_ylabel(f"{known.phrase} (%)".replace(" at ", "\nat "))
        if len(summary):
            floor = accuracy_floor(summary[f"{measure}_mean"], summary[f"{measure}_min"])
            top = float(summary[f"{measure}_max"].max())
            margin = 0.05 * max(top - floor, 0.001)
            axes.set_ylim(floor - margin, top + margin)
            _mark_below(figure, axes, summary[summary[f"{measure}_mean"] < floor], measure)
    return figure


def draw_early_stop(table: pd.DataFrame) -> Figure | None:
    """Mean early-stop iteration of every branch against density; None where there is no validation split."""
    summary = _known(summarise(table), EARLY_STOP_STEP)
    if summary.empty:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _draw(summary, EARLY_STOP_STEP)
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(bottom=0)
        axes.set_ylabel(EARLY_STOP_STEP.phrase)
    return figure


def save(figure: Figure, path_without_suffix: Path) -> tuple[Path, ...]:
    """Write ``figure`` in every format and return the paths."""
    return tuple(
        write_aside(path_without_suffix.with_name(f"{path_without_suffix.name}.{suffix}"), render(figure, suffix))
        for suffix in FORMATS
    )


def render(figure: Figure, suffix: str, transparent: bool = False) -> bytes:
    """``figure`` as the bytes of a file, the same for the same figure."""
    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format=suffix, transparent=transparent, **FORMATS[suffix])
    return content.getvalue()


def _known(summary: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The levels at which ``measure`` is known."""
    return summary[summary[f"{measure.column}_n"] > 0]


def _draw(summary: pd.DataFrame, measure: Measure) -> tuple[Figure, Axes]:
    """A figure with a line for each branch, the dense network dashed across, and its legend above."""
    branches = in_order(summary["branch"])
    rows = -(-(len(branches) + 1) // LEGEND_COLUMNS)
    figure = Figure(figsize=(WIDTH, HEIGHT + rows * LEGEND_ROW), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y")
    if summary.empty:
        return figure, axes
    density_axis(axes, list(summary["density"]))
    _draw_dense(axes, summary[summary["level"] == 0], measure)
    for branch in branches:
        _draw_branch(axes, branch, summary[summary["branch"] == branch], measure)
    figure.legend(loc="outside upper center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=1.6, columnspacing=1.0)
    return figure, axes


def _draw_branch(axes: Axes, branch: str, levels: pd.DataFrame, measure: Measure) -> None:
    levels = levels.sort_values("density", ascending=False)
    mean, low, high = (levels[f"{measure.column}_{suffix}"] for suffix in ("mean", "min", "max"))
    style = look(branch)
    # The ticket is what the figure is about: it lies over its controls.
    order = 3 if branch == TICKET else 2
    axes.fill_between(levels["density"], low, high, color=style.colour, alpha=0.15, linewidth=0, zorder=order - 1)
    axes.plot(
        levels["density"],
        mean,
        color=style.colour,
        marker=style.marker,
        label=f"{branch} ({_count(levels, measure)})",
        zorder=order,
    )


def _draw_dense(axes: Axes, dense: pd.DataFrame, measure: Measure) -> None:
    if len(dense):
        mean = float(dense[f"{measure.column}_mean"].iloc[0])
        axes.axhline(
            mean, color=INK, linestyle="--", linewidth=0.8, label=f"dense ({_count(dense, measure)})", zorder=1
        )


def _count(levels: pd.DataFrame, measure: Measure) -> str:
    """``n = 5``, or the range where levels differ, with the draws where a control has several."""
    counts = levels[f"{measure.column}_n"]
    low, high = int(counts.min()), int(counts.max())
    text = f"n = {low}" if low == high else f"n = {low} to {high}"
    draws = int((levels["runs"] / levels["n"]).max())
    return f"{text}, {draws} draws" if draws > 1 else text


def _mark_below(figure: Figure, axes: Axes, below: pd.DataFrame, measure: str) -> None:
    """An arrow head at the foot of the axis for every mean below it, and the lowest of them in words."""
    if below.empty:
        return
    for rank, branch in enumerate(in_order(below["branch"])):
        densities = below[below["branch"] == branch]["density"]
        # One row of arrow heads a branch, since branches collapse at the same densities.
        row = offset_copy(axes.get_xaxis_transform(), figure, y=ARROW * rank, units="points")
        axes.plot(
            densities,
            [0] * len(densities),
            color=look(branch).colour,
            marker=CARETDOWN,
            markersize=ARROW,
            linestyle="none",
            transform=row,
            clip_on=False,
            zorder=4,
        )
    lowest = below.sort_values(f"{measure}_mean").iloc[0]
    axes.annotate(
        f"{len(below)} means below the axis; lowest {100 * lowest[f'{measure}_mean']:.1f}%\n"
        f"({lowest['branch']}, {weights_percent(lowest['density'])}% of weights)",
        xy=(0.02, 0.04),
        xycoords="axes fraction",
        fontsize=6.5,
    )
