"""Error against candidates per weight, beside the exact network's and what was measured apart from lotto."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lotto.report.approximation.table import errors, shown
from lotto.report.branches import TICKET, in_order, look
from lotto.report.figures import HEIGHT, INK, LEGEND_COLUMNS, LEGEND_ROW, STYLE, WIDTH

EXACT = "error_exact_sup"
# Beneath this a sum of candidates has met its target to the last bit, and a logarithm has nothing to show.
LEAST = 1e-12


def draw_error(table: pd.DataFrame) -> Figure:
    """Medians of every branch with a band from the least to the greatest draw; errors on a logarithmic axis."""
    view = shown(table)
    found = errors(table, view.column).dropna(subset=["candidates"])
    found = found[found["n"] > 0]
    branches = in_order(found["branch"])
    with mpl.rc_context(STYLE):
        rows = -(-(len(branches) + 2) // LEGEND_COLUMNS)
        figure = Figure(figsize=(WIDTH, HEIGHT + rows * LEGEND_ROW), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y")
        for branch in branches:
            own, style = found[found["branch"] == branch].sort_values("candidates"), look(branch)
            order = 3 if branch == TICKET else 2
            low, middle, high = (own[name].clip(lower=LEAST) for name in ("min", "median", "max"))
            axes.fill_between(own["candidates"], low, high, color=style.colour, alpha=0.15, linewidth=0)
            label = f"{branch} (n = {int(own['n'].max())})"
            axes.plot(own["candidates"], middle, color=style.colour, marker=style.marker, label=label, zorder=order)
        exact = float(table[EXACT].median())
        if view.column == "error_sup" and exact > LEAST:
            axes.axhline(exact, color=INK, linestyle="--", linewidth=0.8, label="exact network")
        used = set(found["candidates"].astype(int))
        if apart := {number: error for number, error in view.expected.items() if number in used}:
            axes.plot(list(apart), list(apart.values()), color=INK, linestyle=":", marker="x", label="measured apart")
        axes.set_yscale("log")
        axes.set_xticks(sorted(used))
        axes.set_xlabel("candidates per weight")
        axes.set_ylabel(view.column.replace("_", " "))
        figure.legend(
            loc="outside upper center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=1.6, columnspacing=1.0
        )
    return figure
