"""The learning rate as a pure function of the absolute step, so that a rewound ticket takes up the schedule where it left it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any


def factor(step: int, schedule: Mapping[str, Any], warmup: int = 0) -> float:
    """The multiple of the base learning rate used for the update number ``step`` (from 0).

    ``constant``; ``step`` (times ``gamma`` at and after every milestone); ``linear`` and ``cosine`` (from 1 to ``final`` over
    ``steps``). Warm-up multiplies it by ``step / warmup`` until ``warmup`` is reached, from 0 as in Frankle & Carbin and OpenLTH.
    """
    return _SHAPES[schedule["name"]](step, schedule) * (min(1.0, step / warmup) if warmup else 1.0)


def _constant(step: int, schedule: Mapping[str, Any]) -> float:
    return 1.0


def _step(step: int, schedule: Mapping[str, Any]) -> float:
    return float(schedule["gamma"] ** bisect_right(schedule["milestones"], step))


def _linear(step: int, schedule: Mapping[str, Any]) -> float:
    return float(1 + (schedule["final"] - 1) * min(1.0, step / schedule["steps"]))


def _cosine(step: int, schedule: Mapping[str, Any]) -> float:
    part = min(1.0, step / schedule["steps"])
    return float(schedule["final"] + (1 - schedule["final"]) * (1 + math.cos(math.pi * part)) / 2)


_SHAPES = {"constant": _constant, "step": _step, "linear": _linear, "cosine": _cosine}
SHAPES = tuple(_SHAPES)
