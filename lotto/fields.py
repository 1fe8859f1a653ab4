"""Reading one field of a request: what is not allowed becomes one sentence that names the field, the value and what is."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from lotto.errors import BadRequest


def near(name: str, allowed: list[str] | tuple[str, ...]) -> str:
    """``; did you mean …?`` when something allowed is close to ``name``: the closest, and what is about as close."""
    found = get_close_matches(name, allowed, 3, 0.5)
    if not found:
        return ""
    alike = SequenceMatcher(None, name, found[0]).ratio()
    found = get_close_matches(name, found, 3, max(0.5, alike - 0.15))
    return f"; did you mean {' or '.join(found)}?"


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BadRequest(
            f"{name}={value} is unknown: choose from {', '.join(allowed)}{near(str(value), allowed) or '.'}"
        )
    return str(value)


def whole(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequest(f"{name}={value} is not a whole number of {least} or more.")
    return value


def number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise BadRequest(f"{name}={value} is not a number.")
    return float(value)


def positive(name: str, value: object) -> float:
    if (found := number(name, value)) <= 0:
        raise BadRequest(f"{name}={value} must be greater than 0.")
    return found


def not_negative(name: str, value: object) -> float:
    if (found := number(name, value)) < 0:
        raise BadRequest(f"{name}={value} must not be negative.")
    return found


def fraction(name: str, value: object) -> float:
    if not 0 <= (found := number(name, value)) <= 1:
        raise BadRequest(f"{name}={value} lies outside [0, 1].")
    return found


def flag(name: str, value: object) -> bool:
    """Nothing but true and false: any other word would count as true."""
    if not isinstance(value, bool):
        raise BadRequest(f"{name}={value} is neither true nor false.")
    return value


def list_of(name: str, value: object) -> list[Any]:
    """A list: a word would be read letter by letter."""
    if not isinstance(value, list | tuple):
        raise BadRequest(f"{name}={value} is not a list: write {name}=[…].")
    return list(value)


def levels_of(name: str, value: object) -> tuple[int, ...] | None:
    """Levels, or None for all of them."""
    return None if value is None else tuple(whole(name, level, 0) for level in list_of(name, value))


def check_levels(name: str, levels: tuple[int, ...] | None, first: int, count: int) -> None:
    """BadRequest for a level that there is not: it would quietly do nothing."""
    for level in levels or ():
        if not first <= level < count:
            raise BadRequest(
                f"{name} names level {level}, and schedule.levels={count} has {f'{first} to {count - 1}' if count > first else 'none'}."
            )


def section(name: str, config: object, required: tuple[str, ...]) -> dict[str, Any]:
    """The settings of one section, to be taken out one by one; what is ``required`` is there."""
    if not isinstance(config, Mapping):
        raise BadRequest(f"{name}={config} is not a section of settings: it needs {', '.join(required)}.")
    for field in required:
        if field not in config:
            raise BadRequest(f"{name}.{field} is missing: give {name}.{field}=….")
    return dict(config)


def nothing_left(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """An empty mapping, or the sentence that names the field nobody reads: a setting must never quietly do nothing."""
    for field, value in config.items():
        raise BadRequest(f"{name}.{field}={value} is no setting of {name}.")
    return {}
