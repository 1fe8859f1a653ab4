"""What a sweep's figure and table show: one line for each value of some axes, averaged over everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lotto.report.measures import weights_percent
from lotto.sweep.definition import BRANCH, DENSITY, Shown
from lotto.sweep.run import axis_column

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)(it|ep)?")


@dataclass(frozen=True)
class Curve:
    """One line.

    Args:
        label: its values on the axes that tell lines apart.
        points: columns ``x``, ``mean``, ``min``, ``max``, ``sd``, ``n``, in the order of x.
    """

    label: str
    points: pd.DataFrame


def curves(table: pd.DataFrame, shown: Shown, measure: str) -> list[Curve]:
    """The lines of a figure, in the order of the table.

    Tickets alone, unless ``branch`` tells lines apart. What lines and x leave open (replicates, seeds, other axes) is averaged and counted,
    a network that several points share once.
    """
    rows = table if BRANCH in shown.lines else table[table["branch"] == "ticket"]
    rows = rows[rows[measure].notna()]
    frame = pd.DataFrame(
        {
            "x": x_values(rows, shown.x),
            "value": rows[measure].astype(float),
            "line": _labels(rows, shown.lines),
            "key": rows["key"],
        }
    ).drop_duplicates(["line", "x", "key"])
    made = []
    for label in dict.fromkeys(frame["line"]):
        grouped = frame[frame["line"] == label].groupby("x", sort=True)["value"]
        points = grouped.agg(["mean", "min", "max", "std", "count"]).reset_index()
        made.append(Curve(label, points.rename(columns={"std": "sd", "count": "n"})))
    return made


def x_values(rows: pd.DataFrame, x: str) -> pd.Series:
    """Where on the horizontal axis each row lies: densities are rounded, so that replicates that differ by a weight fall together."""
    if x == DENSITY:
        return rows["density"].astype(float).map(lambda density: float(f"{density:.3g}"))
    return rows[axis_column(x)].map(number)


def number(value: str) -> float:
    """``0``, ``500it`` and ``2.5`` as numbers; NaN for what is none."""
    found = _NUMBER.fullmatch(value)
    return float(found[1]) if found else float("nan")


def _labels(rows: pd.DataFrame, lines: Sequence[str]) -> pd.Series:
    if not lines:
        return pd.Series("ticket", index=rows.index)
    parts = []
    for line in lines:
        if line == BRANCH:
            parts.append(rows["branch"].astype(str))
        elif line == DENSITY:
            parts.append(rows["density"].map(lambda density: f"{weights_percent(density)}% of weights"))
        elif len(lines) == 1 or rows[axis_column(line)].map(number).notna().any():
            parts.append(rows[axis_column(line)].map(lambda value, line=line: f"{line.rpartition('.')[2]} {value}"))
        else:
            parts.append(rows[axis_column(line)].astype(str))
    label = parts[0]
    for part in parts[1:]:
        label = label + ", " + part
    return label
