"""What ``lotto bench`` is to measure, read and checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lotto.bench.cases import CASES
from lotto.errors import BadRequest
from lotto.fields import flag, list_of, near, nothing_left, section

FIELDS = ("models", "replicates", "density", "rounds", "seconds", "start", "dir")


@dataclass(frozen=True)
class BenchSettings:
    """The ``bench`` section.

    Args:
        replicates: how many lotto trains at once, one row each.
        density: of the sparse rows.
        rounds: how often every row is measured.
        seconds: of training that a row is given in a round; at least a few steps are taken.
        start: whether the time from process start to the first step is measured too.
        folder: where ``bench.json`` is written.
    """

    models: tuple[str, ...]
    replicates: tuple[int, ...]
    density: float
    rounds: int
    seconds: float
    start: bool
    folder: Path

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> BenchSettings:
        """Read the ``bench`` section.

        Raises:
            BadRequest: a field is missing, unknown or out of its range.
        """
        config = section("bench", config, FIELDS)
        return cls(
            models=_models(config.pop("models")),
            replicates=_replicates(config.pop("replicates")),
            density=_density(config.pop("density")),
            rounds=_whole("bench.rounds", config.pop("rounds")),
            seconds=_seconds(config.pop("seconds")),
            start=flag("bench.start", config.pop("start")),
            folder=_folder(config.pop("dir")),
            **nothing_left("bench", config),
        )


def _models(value: object) -> tuple[str, ...]:
    names = [str(name) for name in _listed("bench.models", value)]
    for name in names:
        if name not in CASES:
            hint = near(name, tuple(CASES)) or "."
            raise BadRequest(f"bench.models={name} is unknown: choose from {', '.join(CASES)}{hint}")
    return tuple(dict.fromkeys(names))


def _replicates(value: object) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_whole("bench.replicates", number) for number in _listed("bench.replicates", value)))


def _listed(name: str, value: object) -> list[Any]:
    """A list that is not empty; one value stands for a list of it."""
    listed = [value] if isinstance(value, str | int) else list_of(name, value)
    if not listed:
        raise BadRequest(f"{name}=[] leaves nothing to measure: name one at least.")
    return listed


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequest(f"{name}={value} is not a whole number of 1 or more.")
    return value


def _density(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise BadRequest(f"bench.density={value} lies outside (0, 1).")
    return float(value)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise BadRequest(f"bench.seconds={value} is not a number of seconds greater than 0.")
    return float(value)


def _folder(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise BadRequest(f"bench.dir={value} is not a folder.")
    return Path(value)
