"""Lines of metrics: of all replicates at once while they are trained, of each by itself in the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch


def apart(rows: Sequence[dict[str, Any]], replicates: int) -> list[list[dict[str, Any]]]:
    """For every replicate its own lines. JSON knows no NaN: None stands for what was not finite."""

    def number(value: Any, place: int) -> float | None:
        found = value if isinstance(value, int) else float(value[place])
        return found if math.isfinite(found) else None

    return [
        [{name: number(value, place) for name, value in row.items()} for row in rows] for place in range(replicates)
    ]


def together(lines: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The reverse: of every evaluation one line with float64 ``[R]`` for each number."""

    def number(stored: float | None) -> float:
        return math.nan if stored is None else stored

    return [
        {
            name: value
            if name == "step"
            else torch.tensor([number(own[place][name]) for own in lines], dtype=torch.float64)
            for name, value in row.items()
        }
        for place, row in enumerate(lines[0])
    ]
