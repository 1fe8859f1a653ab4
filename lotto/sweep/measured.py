"""What a sweep's report can show of its points: columns of the results, and what probes read."""

from __future__ import annotations

import math

import pandas as pd

from lotto.errors import BadRequest
from lotto.report.measures import MEASURES, NO_SPREAD, Measure

# Of a probe's measures these are fractions of examples, of weights or of units, and shown in percent.
_FRACTIONS = (
    "accuracy",
    "error",
    "barrier_train",
    "barrier_validation",
    "barrier_test",
    "disagreement",
    "ece",
    "iou",
    "hamming",
    "share",
)


class Quantity(Measure):
    """What is no fraction and no count of steps: shown with four digits."""

    def text(self, value: float) -> str:
        return NO_SPREAD if math.isnan(value) else f"{value:.4g}"

    number = text


def measure_called(name: str) -> Measure:
    """A column of the results, or ``probe.measure``."""
    if name in MEASURES:
        return MEASURES[name]
    probe, _, read = name.rpartition(".")
    words = read.replace("_", " ")
    phrase, is_fraction = f"{words} ({probe})" if probe else words, read.endswith(_FRACTIONS)
    return Measure(name, phrase) if is_fraction else Quantity(name, phrase, is_fraction=False)


def rows_of(measure: str, results: pd.DataFrame, probes: pd.DataFrame) -> pd.DataFrame:
    """The rows that have ``measure``, in a column of that name.

    Args:
        results: of all points, with their axes.
        probes: likewise.

    Raises:
        BadRequest: neither has it.
    """
    if measure in results:
        return results[results[measure].notna()]
    probe, _, read = measure.rpartition(".")
    found = probes[
        (probes["probe"] == probe) & (probes["measure"] == read) & (probes["layer"] == "") & probes["value"].notna()
    ]
    if found.empty and probe not in set(probes["probe"]):
        raise BadRequest(
            f"report.measures names {measure}: a column of the results, or probe.measure with probes=[{probe or '…'}]."
        )
    # Pairs of one reading are numbers of their own.
    return found.assign(**{measure: found["value"].astype(float), "key": found["key"] + found["pair"]})
