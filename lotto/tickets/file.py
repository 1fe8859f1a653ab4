"""The ticket file: one ``.safetensors`` that says what it is and notices when a byte of it has changed.

Tensors are ``weights/<name>`` and ``mask/<name>`` (uint8, 0 or 1), and of a structured ticket ``zeroed/<name>`` (likewise): 1 where
something beside weights went with its channels. Only a file that has these is of format version 2.

The metadata are canonical JSON in one entry, ``lotto``: the library would write several in an order that changes, and the same ticket is
to give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.report.aside import write_aside
from lotto.stage import canonical
from lotto.tickets.bits import sha256
from lotto.tickets.metadata import counts, misfit
from lotto.tickets.ticket import Ticket
from lotto.zeroed import ZEROED, zeroed_in, zeroed_tensors

FORMAT_VERSION = 2
ENTRY = "lotto"
WEIGHTS, MASK = "weights/", "mask/"


def save_ticket(ticket: Ticket, path: str | Path) -> Path:
    """Write ``ticket`` to ``path``, whole or not at all; returns the path. The same ticket gives the same bytes.

    Raises:
        BadRequest: the file cannot be written, or the metadata lack a field.
    """
    path = Path(path)
    metadata = {**ticket.metadata, **counts(ticket.mask)}
    if field := misfit(metadata):
        raise BadRequest(f"The ticket cannot be written to {path}: its metadata lack {field}, or have it otherwise.")
    tensors = _to_tensors(ticket)
    content = safetensors.save(tensors, {ENTRY: _seal(metadata, tensors)})
    try:
        return write_aside(path, content)
    except OSError as reason:
        raise BadRequest(f"The ticket cannot be written to {path} ({reason.strerror}): name a file that can.") from None


def load_ticket(path: str | Path) -> Ticket:
    """Read a ticket, on the CPU, and check every byte of it.

    Raises:
        BadRequest: there is no such file, it is no ticket, it is damaged, or a newer lotto wrote it.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise BadRequest(f"The ticket {path} cannot be read ({reason.strerror}).") from None
    metadata = _unseal(_entry(content, path), path)
    listed, checksums = metadata.pop("tensors"), metadata.pop("checksums")
    try:
        found = safetensors.load(content)
        tensors = {name: found[name] for name, _, _ in listed}
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
        raise _damaged(path) from None
    if tensors.keys() != found.keys() or listed != _listing(tensors) or checksums != _checksums(tensors):
        raise _damaged(path)
    return _to_ticket(tensors, metadata, path)


def _to_tensors(ticket: Ticket) -> dict[str, Tensor]:
    # Cloned, because the library refuses tensors that share memory.
    weights = {WEIGHTS + name: tensor.detach().cpu().contiguous().clone() for name, tensor in ticket.weights.items()}
    masks = {MASK + name: kept.cpu().to(torch.uint8).contiguous() for name, kept in ticket.mask.items()}
    return weights | masks | zeroed_tensors({name: zero.cpu().contiguous() for name, zero in ticket.zeroed.items()})


def _to_ticket(tensors: Mapping[str, Tensor], metadata: dict[str, Any], path: Path) -> Ticket:
    weights, mask = _below(WEIGHTS, tensors), _below(MASK, tensors)
    known = (WEIGHTS, MASK, ZEROED)
    if strange := [name for name in tensors if not name.startswith(known)]:
        raise BadRequest(f"The ticket {path} holds {min(strange)}, which is not below {', '.join(known)}.")
    if not any(kept.numel() for kept in mask.values()):
        raise BadRequest(f"The ticket {path} holds no mask: there must be tensors below {MASK}.")
    for name, kept in {**mask, **_below(ZEROED, tensors)}.items():
        if kept.dtype != torch.uint8 or bool((kept > 1).any()):
            raise BadRequest(f"The ticket {path} has a mask of {name} that holds other values than the bytes 0 and 1.")
    return Ticket(weights, Mask(mask), metadata, zeroed_in(tensors))


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _seal(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The metadata entry: what the ticket says, what the file holds, and checksums of both."""
    sealed = {
        **metadata,
        "format_version": _version(tensors),
        "tensors": _listing(tensors),
        "checksums": _checksums(tensors),
    }
    sealed["checksums"]["metadata"] = _digest(sealed)
    return canonical(sealed)


def _version(tensors: Mapping[str, Tensor]) -> int:
    """The first format that says all of this: a reader that knows no ``zeroed`` must not train such a ticket."""
    return 2 if any(name.startswith(ZEROED) for name in tensors) else 1


def _unseal(entry: str, path: Path) -> dict[str, Any]:
    """The metadata, checked against their own checksum; still with ``tensors`` and their ``checksums``."""
    try:
        metadata = json.loads(entry)
        version = int(metadata["format_version"])
        if version > FORMAT_VERSION:
            raise BadRequest(
                f"The ticket {path} has format version {version}: this lotto reads up to {FORMAT_VERSION}."
            )
        untouched = canonical(metadata) == entry  # no other way to write the same values counts as the same
        untouched &= metadata["checksums"].pop("metadata") == _digest(metadata)
        del metadata["format_version"]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise _damaged(path) from None
    if not untouched or "tensors" not in metadata:
        raise _damaged(path)
    if field := misfit(metadata):
        raise BadRequest(
            f"The ticket {path} was not written by lotto: its metadata lack {field}, or have it otherwise."
        )
    return metadata


def _entry(content: bytes, path: Path) -> str:
    """The text of the metadata entry, out of the file's head: eight bytes of length, then JSON padded with spaces."""
    head = content[8 : 8 + int.from_bytes(content[:8], "little")]
    try:
        entries = json.loads(head.decode()).get("__metadata__", {})
    except (AttributeError, ValueError, RecursionError):
        raise BadRequest(f"The file {path} is no ticket, or is damaged: it has no safetensors head.") from None
    if not isinstance(entries, dict) or not isinstance(entries.get(ENTRY), str):
        raise BadRequest(f"The file {path} is no ticket, or is damaged: it has no metadata entry {ENTRY}.")
    if not head.rstrip(b" ").endswith(b"}"):  # other padding would read the same, but is not what was written
        raise _damaged(path)
    return str(entries[ENTRY])


def _listing(tensors: Mapping[str, Tensor]) -> list[list[Any]]:
    """Name, dtype and shape of every tensor, in the model's order, which the library does not keep."""
    return [[name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)] for name, tensor in tensors.items()]


def _checksums(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: sha256(tensor) for name, tensor in tensors.items()}


def _digest(metadata: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(metadata).encode()).hexdigest()


def _damaged(path: Path) -> BadRequest:
    return BadRequest(f"The ticket {path} is damaged: its contents do not agree with its checksums.")
