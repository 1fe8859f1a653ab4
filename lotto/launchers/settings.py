"""Checks of what ``hydra.launcher`` is set to."""

from __future__ import annotations

from lotto.errors import BadRequest


def whole(name: str, value: object, least: int) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequest(f"hydra.launcher.{name}={value} is not allowed: a whole number, {least} or more.")
    return value


def number(name: str, value: object) -> float:
    """Nothing, a part of one, or several."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise BadRequest(f"hydra.launcher.{name}={value} is not allowed: a number, 0 or more.")
    return float(value)


def whole_or_none(name: str, value: object, least: int) -> int | None:
    """The same, where ``null`` leaves it open."""
    return None if value is None else whole(name, value, least)
