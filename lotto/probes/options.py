"""What a probe's options may be. The annotations of its function say it, and are checked before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lotto.errors import BadRequest
from lotto.fields import flag, list_of, near


@dataclass(frozen=True)
class AtLeast:
    """Annotates a number that must not be smaller."""

    least: float


@dataclass(frozen=True)
class AtMost:
    """Annotates a number that must not be greater."""

    most: float


@dataclass(frozen=True)
class Above:
    """Annotates a number that must be greater."""

    bound: float


Count = Annotated[int, AtLeast(1)]
Split = Literal["train", "validation", "test"]


def check_options(
    field: str, target: str, function: Callable[..., Any], options: Mapping[str, Any], sizes: Mapping[str, int]
) -> None:
    """Raises BadRequest for an option that ``function`` does not take, lacks, or whose annotation excludes the value.

    Args:
        field: of the request, such as ``probes.interpolation``.
        target: the function's dotted path, for the sentence.
        function: takes what is probed, where the numbers go, and the options.
        sizes: examples by split: one that is named must not be empty.
    """
    try:
        inspect.signature(function).bind(None, None, **options)
    except (TypeError, ValueError) as reason:
        raise BadRequest(f"{field} cannot be set up: {target} has {reason}.") from None
    check_values(field, function, options, sizes)


def check_values(
    field: str, function: Callable[..., Any], options: Mapping[str, Any], sizes: Mapping[str, int]
) -> None:
    """Raises BadRequest for a value that the annotation of its option excludes; arguments as in ``check_options``."""
    for name, hint in _hints(function).items():
        if name in options:
            _check(f"{field}.{name}", options[name], hint, sizes)


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}  # somebody's own probe may be annotated with what is imported for a type checker alone


def _check(name: str, value: Any, hint: Any, sizes: Mapping[str, int]) -> None:
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        if not (value is None and NoneType in inner):
            _check(name, value, next(one for one in inner if one is not NoneType), sizes)
    elif kind is Annotated:
        _check(name, value, inner[0], sizes)
        for mark in inner[1:]:
            if isinstance(mark, AtLeast) and value < mark.least:
                raise BadRequest(f"{name}={value} is too small: {mark.least:g} or more.")
            if isinstance(mark, AtMost) and value > mark.most:
                raise BadRequest(f"{name}={value} is too large: {mark.most:g} or less.")
            if isinstance(mark, Above) and value <= mark.bound:
                raise BadRequest(f"{name}={value} is too small: more than {mark.bound:g}.")
    elif kind is Literal:
        if value not in inner:
            raise BadRequest(
                f"{name}={value} is unknown: choose from {', '.join(inner)}{near(str(value), inner) or '.'}"
            )
        if hint == Split and not sizes[value]:
            raise BadRequest(f"{name}={value} is empty: set data.{value} above 0 to have one.")
    elif kind is Sequence:
        if not (values := list_of(name, value)):
            raise BadRequest(f"{name}=[] chooses nothing: give one or more.")
        for one in values:
            _check(name, one, inner[0], sizes)
    elif hint is bool:
        flag(name, value)
    elif hint is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadRequest(f"{name}={value} is not a whole number.")
    elif hint is float and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadRequest(f"{name}={value} is not a number.")
