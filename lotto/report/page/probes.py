"""What probes have measured, from a frame with one number a row.

Columns: ``branch, replicate, level, density, probe, measure, layer, pair, x, value`` and others that do not matter here; ``layer`` and
``pair`` are empty where they do not apply, ``x`` is NaN where the number stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from lotto.report.page.density import points
from lotto.report.page.profile import profile_lines
from lotto.sweep.measured import measure_called

BARRIERS = "interpolation"
CALIBRATION = "calibration"

# How well confidence and accuracy agree is read off against the diagonal.
_ALONG_THE_DIAGONAL = {(CALIBRATION, "accuracy")}

_AXES = {BARRIERS: "position between the two networks", CALIBRATION: "confidence"}


def is_barrier(probes: pd.DataFrame) -> pd.Series:
    """Which rows belong to lines between two networks."""
    return probes["probe"] == BARRIERS


def scalar_sets(probes: pd.DataFrame) -> list[dict[str, Any]]:
    """A set for every measure (and layer) that is one number a network or pair, to be drawn against density."""
    alone = probes[probes["x"].isna() & probes["value"].notna()]
    sets = []
    for (probe, measure, layer), rows in _grouped(alone, ["probe", "measure", "layer"]):
        # Several pairs of one replicate are averaged as draws are: they share networks, and only replicates count.
        lines = {str(branch): points(own, "value") for branch, own in rows.groupby("branch")}
        sets.append({**_fields(probe, measure, layer), "floor": None, "lines": lines})
    return sets


def profile_sets(probes: pd.DataFrame) -> list[dict[str, Any]]:
    """A set for every measure that is taken along ``x``, to be drawn at one level."""
    along = probes[probes["x"].notna() & probes["value"].notna()]
    return [
        {
            **_fields(probe, measure, layer),
            "x": _AXES.get(probe, "x"),
            "diagonal": (probe, measure) in _ALONG_THE_DIAGONAL,
            "lines": profile_lines(rows.assign(line=rows["branch"])),
        }
        for (probe, measure, layer), rows in _grouped(along, ["probe", "measure", "layer"])
    ]


def _grouped(rows: pd.DataFrame, names: list[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    for values, group in rows.groupby(names, sort=False):
        yield tuple(map(str, values)), group


def _fields(probe: str, measure: str, layer: str) -> dict[str, Any]:
    is_fraction = measure == "confidence" or measure_called(f"{probe}.{measure}").is_fraction
    words = measure.replace("_", " ")
    label = words.capitalize() if probe == BARRIERS else f"{probe.capitalize()}: {words}"
    return {
        "id": "/".join(filter(None, (probe, measure, layer))),
        "base": f"{probe}/{measure}",
        "layer": layer,
        "label": label,
        "unit": "%" if is_fraction else "",
        "factor": 100.0 if is_fraction else 1.0,
        "decimals": None,
    }
