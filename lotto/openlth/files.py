"""OpenLTH's files, read one at a time and without running anything that is in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lotto.errors import BadRequest
from lotto.starts.files import load_pickle


@dataclass(frozen=True)
class Evaluation:
    """What ``logger`` says of one split at one iteration; None where it does not.

    Args:
        loss: mean cross-entropy.
        accuracy: a fraction.
    """

    split: str
    iteration: int
    loss: float | None
    accuracy: float | None


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` file by name, on the CPU.

    Raises:
        BadRequest: the file is missing or damaged, or holds anything but tensors.
    """
    state = load_pickle(path)
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise BadRequest(f"{path} holds something else than tensors by name.")
    return {str(name): tensor for name, tensor in state.items()}


def read_mask(path: Path) -> dict[str, Tensor]:
    """``mask.pth`` by tensor name, as bool.

    Raises:
        BadRequest: the file cannot be read, or an entry is neither 0 nor 1.
    """
    mask = read_state(path)
    for name, tensor in mask.items():
        if bool(((tensor != 0) & (tensor != 1)).any()):
            raise BadRequest(f"{path} is no mask: {name} holds other values than 0 and 1.")
    return {name: tensor.bool() for name, tensor in mask.items()}


def read_log(path: Path) -> list[Evaluation]:
    """``logger``, whose lines are ``<split>_<measure>,<iteration>,<value>``: one entry for each split and iteration.

    Raises:
        BadRequest: the file cannot be read, or a line is written otherwise.
    """
    measured: dict[tuple[str, int], dict[str, float]] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            name, iteration, value = line.split(",")
            split, measure = name.rsplit("_", 1)
            measured.setdefault((split, int(iteration)), {})[measure] = float(value)
        except ValueError:
            raise BadRequest(f"{path}, line {number}, is not <split>_<measure>,<iteration>,<value>: {line}") from None
    return [Evaluation(*place, found.get("loss"), found.get("accuracy")) for place, found in sorted(measured.items())]


def read_sparsity(path: Path) -> tuple[int, int]:
    """``sparsity_report.json``: weights that remain, and all prunable weights.

    Raises:
        BadRequest: the file cannot be read or lacks either.
    """
    try:
        report = json.loads(_text(path))
        return int(report["unpruned"]), int(report["total"])
    except (KeyError, TypeError, ValueError):
        raise BadRequest(
            f"{path} is no sparsity report: it must be JSON with the numbers total and unpruned."
        ) from None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as reason:
        raise BadRequest(f"{path} cannot be read ({getattr(reason, 'strerror', None) or 'it is no text'}).") from None
