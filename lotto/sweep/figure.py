"""The figure of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lotto.report.axes import accuracy_floor, density_axis
from lotto.report.branches import KNOWN, SPARE
from lotto.report.figures import HEIGHT, LEGEND_COLUMNS, LEGEND_ROW, STYLE, WIDTH
from lotto.report.measures import Measure
from lotto.sweep.curves import Curve
from lotto.sweep.definition import DENSITY

_LOOKS = (*KNOWN.values(), *SPARE)
# Characters of a legend entry that still has another beside it in a paper's column.
LONGEST_BESIDE = 34
# Numbers that are more than this factor apart are drawn by their logarithm.
DECADES = 1000
_DASHES = ("-", "--", ":", "-.")


def draw_sweep(lines: Sequence[Curve], x: str, measure: Measure) -> Figure:
    """Means of every line with a band from the least to the greatest value."""
    with mpl.rc_context(STYLE):
        columns = LEGEND_COLUMNS if max(len(_legend(line)) for line in lines) <= LONGEST_BESIDE else 1
        rows = -(-len(lines) // columns)
        figure = Figure(figsize=(WIDTH, HEIGHT + rows * LEGEND_ROW), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y")
        points = pd.concat([line.points for line in lines])
        _horizontal(axes, x, points["x"])
        for place, line in enumerate(lines):
            _draw(axes, line, place)
        axes.set_ylabel(f"{measure.phrase}{' (%)' if measure.is_fraction else ''}".replace(" at ", "\nat "))
        if measure.is_fraction:
            axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        if not measure.is_fraction and 0 < points["min"].min() < points["max"].max() / DECADES:
            axes.set_yscale("log")
        if "accuracy" in measure.column:
            _from_the_floor(axes, points)
        figure.legend(loc="outside upper center", ncols=columns, frameon=False, handlelength=2.2, columnspacing=1.0)
    return figure


def _from_the_floor(axes: Axes, points: pd.DataFrame) -> None:
    """Accuracies that have collapsed must not squeeze the others into a line."""
    floor, top = accuracy_floor(points["mean"], points["min"]), float(points["max"].max())
    margin = 0.05 * max(top - floor, 0.001)
    axes.set_ylim(floor - margin, top + margin)
    if below := int((points["mean"] < floor).sum()):
        axes.annotate(f"{below} means below the axis", xy=(0.02, 0.04), xycoords="axes fraction", fontsize=6.5)


def _draw(axes: Axes, line: Curve, place: int) -> None:
    look = _LOOKS[place % len(_LOOKS)]
    dashes = _DASHES[place // len(_LOOKS) % len(_DASHES)]
    points = line.points
    axes.fill_between(points["x"], points["min"], points["max"], color=look.colour, alpha=0.12, linewidth=0)
    axes.plot(points["x"], points["mean"], color=look.colour, marker=look.marker, linestyle=dashes, label=_legend(line))


def _legend(line: Curve) -> str:
    low, high = int(line.points["n"].min()), int(line.points["n"].max())
    return f"{line.label} (n = {low if low == high else f'{low} to {high}'})"


def _horizontal(axes: Axes, x: str, values: pd.Series) -> None:
    if x == DENSITY:
        density_axis(axes, list(values))
        return
    axes.set_xlabel(x)
    distinct = sorted(set(values))
    if len(distinct) > 2 and distinct[-1] > 20 * max(distinct[1], 1e-12):
        # Rewinding points and rates are chosen by factors, and the first may be 0.
        axes.set_xscale("symlog", linthresh=distinct[1] if distinct[0] <= 0 else distinct[0])
    axes.set_xticks(distinct, [f"{value:g}" for value in distinct])
