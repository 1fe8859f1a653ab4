"""Tables as a figure leaves them, with numbers made up to be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lotto.reproduce.claim import Claim, read_claims
from lotto.reproduce.quantity import Tables

DENSITIES = (1.0, 0.5, 0.25)


def results(accuracies: Mapping[str, Sequence[Sequence[float]]], **axes: str) -> pd.DataFrame:
    """Rows from accuracies by branch, level (a control's first is 1) and replicate; ``axes`` are the point's."""
    rows = []
    for branch, levels in accuracies.items():
        for level, values in enumerate(levels, start=0 if branch == "ticket" else 1):
            for replicate, value in enumerate(values):
                rows.append(
                    {
                        "branch": branch,
                        "level": level,
                        "density": DENSITIES[level],
                        "replicate": replicate,
                        "sample": 0,
                        "test_accuracy": value,
                        "train_steps": 100,
                        "key": f"{branch}-{level}-{replicate}",
                        **{f"axis:{axis}": place for axis, place in axes.items()},
                    }
                )
    return pd.DataFrame(rows)


NO_PROBES = pd.DataFrame(
    columns=["branch", "level", "density", "replicate", "probe", "measure", "layer", "pair", "x", "value", "key"]
)


def tables(
    accuracies: Mapping[str, Sequence[Sequence[float]]], probes: pd.DataFrame = NO_PROBES, **axes: str
) -> Tables:
    return Tables(results(accuracies, **axes), probes, lambda key: CURVE)


# Evaluations of a training from step 0 to 100.
CURVE = [{"step": 0, "test_accuracy": 0.1}, {"step": 50, "test_accuracy": 0.6}, {"step": 100, "test_accuracy": 0.9}]


def claim(axes: Sequence[str] = (), **fields: Any) -> Claim:
    """A claim with what a test does not care about filled in."""
    given = {
        "name": "claim",
        "says": "It does.",
        "measure": "test_accuracy",
        "of": {"density": 0.5},
        "published": 0.9,
        "mark": "read",
        "holds": {"at_least": 0.0},
        "tolerance": "made up",
        **fields,
    }
    (made,) = read_claims(Path("figure.yaml"), [given], axes)
    return made
