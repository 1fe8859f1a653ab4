"""Refusals that the networks share, each in one sentence."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from lotto.errors import BadRequest


def require_one_of(field: str, value: object, allowed: Collection[object]) -> None:
    """Raise ``BadRequest`` unless ``value`` is among ``allowed``; a misspelt name is answered with its neighbours."""
    if value in allowed:
        return
    names = ", ".join("null" if name is None else str(name) for name in allowed)
    raise BadRequest(f"{field}={value} is unknown: it is one of {names}{near(value, allowed)}")


def near(value: object, allowed: Collection[object]) -> str:
    """A clause with the up to three names in ``allowed`` that resemble the name ``value``, or nothing."""
    names = [name for name in allowed if isinstance(name, str)]
    matches = get_close_matches(str(value), names)
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""


def require_positive(field: str, value: int) -> None:
    """Raise ``BadRequest`` unless the width or count ``value`` is at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequest(f"{field}={value} is not allowed: it is a whole number of at least 1")


def require_halvings(network: str, input_shape: tuple[int, int, int], halvings: int) -> None:
    """Raise ``BadRequest`` if images of ``(channels, height, width)`` vanish in ``halvings`` poolings."""
    _, height, width = input_shape
    smallest = 2**halvings
    if min(height, width) < smallest:
        raise BadRequest(
            f"input_shape {height}x{width} is too small for {network}, which halves the image {halvings} times "
            f"and needs at least {smallest}x{smallest} pixels"
        )
