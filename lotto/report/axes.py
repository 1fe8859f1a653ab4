"""Axes on which sparse networks are compared: density on a logarithm, accuracy where the levels differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

from lotto.report.measures import weights_percent

# Share of the axis that one tick label takes with the space beside it, in a figure one paper column wide.
LABEL_SHARE = 0.105

# The axis reaches this many median deficits below the best level (half of the levels lie within one), and half as far
# again where that is enough to show everything.
DEFICITS_SHOWN = 8
STRETCH = 1.5

# Never zoom in to less than half a point of accuracy: smaller differences are noise on most test sets.
LEAST_SPAN = 0.005


def density_axis(axes: Axes, densities: Sequence[float]) -> None:
    """A logarithmic axis of percent remaining, falling to the right: a tick a level, labels that do not overlap."""
    levels = sorted(set(densities), reverse=True)
    axes.set_xscale("log")
    margin = max((levels[0] / levels[-1]) ** 0.04, 1.02)
    axes.set_xlim(levels[0] * margin, levels[-1] / margin)
    named = labelled(levels)
    axes.xaxis.set_major_locator(FixedLocator(named))
    axes.xaxis.set_major_formatter(FixedFormatter([weights_percent(density) for density in named]))
    axes.xaxis.set_minor_locator(FixedLocator(levels))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("weights remaining (%)")


def labelled(levels: Sequence[float]) -> list[float]:
    """Those of ``levels`` (falling) that carry a label: the first, the last, and between them all that fit."""
    length = math.log(levels[0] / levels[-1]) or 1.0

    def apart(denser: float, sparser: float) -> bool:
        return math.log(denser / sparser) / length >= LABEL_SHARE

    named = [levels[0]]
    for level in levels[1:-1]:
        if apart(named[-1], level) and apart(level, levels[-1]):
            named.append(level)
    return named if len(levels) == 1 else [*named, levels[-1]]


def accuracy_floor(means: pd.Series, minima: pd.Series) -> float:
    """The accuracy at which the axis starts: the lowest minimum, unless levels have collapsed far below the others.

    A level at chance would squeeze the differences that matter into one line. So the axis reaches a multiple of the
    median deficit below the best mean and no further; what lies below is for the figure to mark.
    """
    best, lowest = float(means.max()), float(minima.min())
    reach = max(DEFICITS_SHOWN * float((best - means).median()), LEAST_SPAN)
    if best - lowest > STRETCH * reach:
        return best - reach
    return min(lowest, best - LEAST_SPAN)
