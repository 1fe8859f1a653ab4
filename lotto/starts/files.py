"""Files of weights, read without running anything that is in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lotto.errors import BadRequest
from lotto.starts.source import Contents

_DAMAGED = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
    TypeError,
)  # what torch.load raises for a file that is none of its own, or not whole


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name.

    Raises:
        BadRequest: it is not whole.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, RuntimeError) as reason:
        raise BadRequest(f"{path} is damaged: {reason}.") from None


def read_ticket(path: Path) -> Contents:
    """Weights and mask of a ticket file.

    Raises:
        BadRequest: it is damaged.
    """
    from lotto.tickets import load_ticket

    ticket = load_ticket(path)
    return Contents(ticket.weights, ticket.mask, ticket.zeroed)


def read_folder(folder: Path, level: int, point: str) -> Contents:
    """Weights and mask of a level of an OpenLTH run, at its ``start`` or its ``end``.

    Raises:
        BadRequest: the level is not there, or lacks what is asked for.
    """
    from lotto.openlth.load import Replicate

    found = Replicate(folder).level(level)
    weights = found.start if point == "start" else found.end
    if weights is None:
        raise BadRequest(f"{folder} has no end of level {level}: its training was not finished.")
    return Contents(weights, found.mask)


def read_state_dict(path: Path, entry: str | None) -> dict[str, Tensor]:
    """The tensors of a ``.pt`` or ``.pth`` file by name, read with ``weights_only``.

    Args:
        entry: the name of the state dict among other things in the file; None where the file is a state dict.

    Raises:
        BadRequest: it is damaged, holds code, or has no such entry.
    """
    found = load_pickle(path)
    if entry is not None:
        if not isinstance(found, Mapping) or entry not in found:
            raise BadRequest(f"start.entry={entry} is nothing that {path} holds{_holds(found)}.")
        found = found[entry]
    if not _is_state(found):
        where = f"start.entry={entry} of {path}" if entry else str(path)
        raise BadRequest(f"{where} is no state dict, tensors by name{_candidates(found)}.")
    return {str(name): tensor for name, tensor in found.items()}


def load_pickle(path: Path) -> Any:
    """What ``torch.load`` reads with ``weights_only``, on the CPU.

    Raises:
        BadRequest: the file is missing or damaged, or holds more than that allows.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as reason:
        raise BadRequest(f"{path} cannot be read ({reason.strerror or reason}).") from None
    except _DAMAGED:
        raise BadRequest(
            f"{path} is damaged, or holds more than tensors: save a state_dict() with torch.save, or safetensors."
        ) from None


def _is_state(found: object) -> bool:
    return isinstance(found, Mapping) and bool(found) and all(isinstance(one, Tensor) for one in found.values())


def _candidates(found: object) -> str:
    inner = [str(name) for name, value in found.items() if _is_state(value)] if isinstance(found, Mapping) else []
    return f": give {' or '.join(f'start.entry={name}' for name in inner)}" if inner else ""


def _holds(found: object) -> str:
    return f": it holds {', '.join(map(str, list(found)[:8]))}" if isinstance(found, Mapping) else ""
