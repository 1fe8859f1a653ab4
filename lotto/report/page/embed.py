"""Data inside a page: JSON that no text in it can break out of."""

from __future__ import annotations

import json
import math
from typing import Any

DIGITS = 5
"""Significant digits of a number that is drawn: a screen shows fewer."""

# What would end the script element, start a comment in it, or be an entity in XHTML.
_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def embedded(data: Any) -> str:
    """``data`` as JSON for a ``<script type="application/json">``."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).translate(_UNSAFE)


def drawn(value: float) -> float | int | None:
    """A number as precise as it can be seen, None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 10**DIGITS else rounded
