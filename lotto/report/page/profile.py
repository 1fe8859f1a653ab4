"""Curves within a level: learning curves, and whatever a probe measures along an axis of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lotto.report.page.embed import drawn

MOST_POINTS = 120
"""Points of one curve: what a screen can tell apart."""

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


def learning_curves(curves: pd.DataFrame, prefix: str = "") -> list[dict[str, Any]]:
    """A set for each measure in ``curves`` (as ``Evidence.curves`` gives them), validation first."""
    if curves.empty:
        return []
    sets = []
    for column, (label, unit, factor) in _MEASURES.items():
        if column in curves and (known := curves[curves[column].notna()]).size:
            lines = profile_lines(known.assign(x=known["step"], value=known[column]), prefix)
            sets.append(
                {"id": column, "label": label, "unit": unit, "factor": factor, "x": "iteration", "lines": lines}
            )
    return sets


def profile_lines(frame: pd.DataFrame, prefix: str = "") -> dict[str, dict[str, Any]]:
    """For every branch (behind ``prefix``) and level the mean of ``value`` over replicates at each ``x``, and its range."""
    within = frame.groupby(["branch", "level", "replicate", "x"], sort=True)["value"].mean()
    spread = within.groupby(["branch", "level", "x"]).agg(["mean", "min", "max", "count"])
    lines: dict[str, dict[str, Any]] = {}
    for (branch, level), group in spread.groupby(["branch", "level"]):
        kept = group.droplevel(["branch", "level"]).iloc[thinned(len(group))]
        lines.setdefault(f"{prefix}{branch}", {})[str(level)] = {
            "x": [drawn(value) for value in kept.index],
            "mean": _numbers(kept["mean"]),
            # A single replicate has no band.
            **({"low": _numbers(kept["min"]), "high": _numbers(kept["max"])} if int(kept["count"].max()) > 1 else {}),
            "n": int(kept["count"].max()),
        }
    return lines


def thinned(count: int) -> list[int]:
    """Which of ``count`` points are drawn: first and last, most of them evenly apart, the others by equal factors."""
    if count <= MOST_POINTS:
        return list(range(count))
    early = MOST_POINTS // _SHARE_EARLY
    evenly = np.linspace(0, count - 1, MOST_POINTS - early)
    by_factors = np.geomspace(1, count, early) - 1
    return sorted({round(place) for place in (*evenly, *by_factors)})


def _numbers(values: pd.Series) -> Sequence[float | None]:
    return [drawn(float(value)) for value in values]
