"""Measures against density: for every line its levels with mean, spread and n."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lotto.report.axes import accuracy_floor
from lotto.report.measures import ACCURACY, ACCURACY_EARLY_STOP, EARLY_STOP_STEP
from lotto.report.page.embed import drawn

POINT = ("level", "density", "mean", "low", "high", "sd", "n")
"""What a point is, in the order in which the page's data hold it."""


@dataclass(frozen=True)
class Shown:
    """A number that pages draw: its column, its name, its unit, by what it is multiplied, decimals, and its kind of axis."""

    column: str
    label: str
    unit: str = ""
    factor: float = 1.0
    decimals: int | None = None
    is_accuracy: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "id": self.column,
            "label": self.label,
            "unit": self.unit,
            "factor": self.factor,
            "decimals": self.decimals,
        }


def _accuracy(column: str, label: str) -> Shown:
    return Shown(column, label, "%", 100.0, 2, is_accuracy=True)


ACCURACIES = (
    _accuracy(ACCURACY.column, "Test accuracy at the end of training"),
    _accuracy(ACCURACY_EARLY_STOP.column, "Test accuracy at early stop"),
    _accuracy("val_accuracy", "Validation accuracy at the end of training"),
)
EARLY_STOP = (
    Shown(EARLY_STOP_STEP.column, "Early-stop iteration", decimals=0),
    Shown("val_loss_min", "Validation loss at early stop", "nats"),
)
COSTS = (
    Shown("flops_training", "Training FLOPs of the whole fit", "FLOP"),
    Shown("flops_inference", "Inference FLOPs of one example", "FLOP"),
    Shown("energy_kwh", "Energy of the fit", "kWh"),
    Shown("co2_kg", "Carbon dioxide of the fit", "kg"),
    Shown("flops_slimmed", "Inference FLOPs of the slimmed network", "FLOP"),
    Shown("weights_slimmed", "Parameters of the slimmed network"),
)


def density_sets(tables: Mapping[str, pd.DataFrame], shown: Iterable[Shown]) -> list[dict[str, Any]]:
    """Those of the measures ``shown`` that are known, each with the points of every line.

    ``tables`` holds the rows of every line by its identifier. A point is a list as ``POINT`` says.
    """
    sets = []
    for measure in shown:
        lines = {name: points(rows, measure.column) for name, rows in tables.items()}
        known = {name: found for name, found in lines.items() if found}
        if known:
            floor = _floor(known) if measure.is_accuracy else None
            sets.append({**measure.fields, "floor": floor, "lines": known})
    return sets


def points(rows: pd.DataFrame, column: str) -> list[list[Any]]:
    """The levels of one line at which ``column`` is known; draws of a replicate are averaged before replicates are."""
    if column not in rows or not rows[column].notna().any():
        return []
    known = rows[rows[column].notna()]
    by_replicate = known.groupby(["level", "replicate"])[["density", column]].mean().astype(float)
    found = []
    for level in by_replicate.index.unique("level"):
        group = by_replicate.xs(level, level="level")
        values = group[column]
        spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        numbers = (values.mean(), values.min(), values.max(), spread)
        density = float(group["density"].mean())
        found.append([int(level), density, *(drawn(number) for number in numbers), len(values)])
    return found


def _floor(lines: Mapping[str, list[list[Any]]]) -> float | None:
    every = pd.DataFrame([point for found in lines.values() for point in found], columns=list(POINT))
    return drawn(accuracy_floor(every["mean"], every["low"]))
