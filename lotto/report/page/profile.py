"""Curves within a level: learning curves, and whatever a probe measures along an axis of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lotto.report.page.embed import drawn

MOST_POINTS = 120
"""Points of one curve: what a screen can tell apart."""

LEAST_POINTS = 24

BUDGET = 50_000
"""Points of all learning curves of a page together; where runs are compared, each curve has fewer."""

_SHARE_EARLY = 3
"""Every third of them is chosen by factors, since the first steps change most."""

_MEASURES = {
    "val_loss": ("Validation loss", "nats", 1.0),
    "val_accuracy": ("Validation accuracy", "%", 100.0),
    "train_loss": ("Training loss", "nats", 1.0),
    "train_accuracy": ("Training accuracy", "%", 100.0),
    "test_loss": ("Test loss", "nats", 1.0),
    "test_accuracy": ("Test accuracy", "%", 100.0),
}


def learning_curves(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """A set for each measure in ``curves`` (as ``Evidence.curves`` gives them), validation first."""
    if curves.empty:
        return []
    measures = {column: about for column, about in _MEASURES.items() if column in curves}
    most = points_each(len(measures) * len(curves[["line", "level"]].drop_duplicates()))
    sets = []
    for column, (label, unit, factor) in measures.items():
        known = curves[curves[column].notna()]
        if len(known):
            lines = profile_lines(known.assign(x=known["step"], value=known[column]), most)
            about = {"id": column, "label": label, "unit": unit, "factor": factor}
            sets.append({**about, "x": "iteration", "lines": lines})
    return sets


def points_each(count: int) -> int:
    """Points of each of ``count`` curves on a page."""
    return min(MOST_POINTS, max(LEAST_POINTS, BUDGET // max(count, 1)))


def profile_lines(frame: pd.DataFrame, most: int = MOST_POINTS) -> dict[str, dict[str, Any]]:
    """For every ``line`` and level the mean of ``value`` over replicates at each ``x``, and its range."""
    within = frame.groupby(["line", "level", "replicate", "x"], sort=True)["value"].mean()
    spread = within.groupby(["line", "level", "x"]).agg(["mean", "min", "max", "count"])
    lines: dict[str, dict[str, Any]] = {}
    for (line, level), group in spread.groupby(["line", "level"]):
        kept = group.droplevel(["line", "level"]).iloc[thinned(len(group), most)]
        lines.setdefault(str(line), {})[str(level)] = {
            "x": [drawn(value) for value in kept.index],
            "mean": _numbers(kept["mean"]),
            # A single replicate has no band.
            **({"low": _numbers(kept["min"]), "high": _numbers(kept["max"])} if int(kept["count"].max()) > 1 else {}),
            "n": int(kept["count"].max()),
        }
    return lines


def thinned(count: int, most: int = MOST_POINTS) -> list[int]:
    """Which of ``count`` points are drawn, ``most`` of them or a few less: first and last, most of them evenly apart,
    the others by equal factors."""
    if count <= most:
        return list(range(count))
    early = most // _SHARE_EARLY
    evenly = np.linspace(0, count - 1, most - early)
    by_factors = np.geomspace(1, count, early) - 1
    return sorted({round(place) for place in (*evenly, *by_factors)})


def _numbers(values: pd.Series) -> Sequence[float | None]:
    return [drawn(float(value)) for value in values]
