"""W&B's own file of a run, as far as to tell whether it ends where the run did.

It starts with seven bytes of its own; then come blocks of 32 KiB, each of chunks with a checksum (4 bytes), a length (2) and a kind (1):
a whole record, or the first, a middle or the last part of one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_START, _BLOCK, _HEADER = 7, 32768, 7
_WHOLE, _FIRST = 1, 2


def is_finished(path: Path) -> bool:
    """Whether the last record is the one that ends a run. A file that a process was killed over ends anywhere else."""
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    last = b""
    for kind, part in _chunks(path.read_bytes()):
        last = part if kind in (_WHOLE, _FIRST) else last + part
    try:
        return bool(last) and Record.FromString(last).HasField("exit")
    except DecodeError:
        return False


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of every chunk that is there to its end."""
    at = _START
    while at + _HEADER <= len(content):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        part = content[at + _HEADER : at + _HEADER + length]
        if kind == 0 or len(part) < length:
            return
        yield kind, part
        at += _HEADER + length
