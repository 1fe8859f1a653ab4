"""``lotto gc``: what lies in a store that no run refers to and no process uses."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lotto.errors import BadRequest
from lotto.locks import owners, remains
from lotto.references import forgotten, references
from lotto.store import Store


@dataclass(frozen=True)
class Leftover:
    """Something that may go.

    Args:
        what: the group that it is shown in.
        key: of an artifact, else None.
    """

    what: str
    path: Path
    bytes: int
    key: str | None = None


def collect(store: Store, remove: bool, stream: IO[str]) -> int:
    """Show what nothing refers to, and remove it if asked to; returns how many were removed.

    Raises:
        BadRequest: there is no store.
    """
    if not store.root.is_dir():
        raise BadRequest(f"store={store.root} is no store: there is no such folder.")
    found = list(leftovers(store))
    runs = references(store)
    print(
        f"{store.root}: runs that refer to it: {len(runs)}, processes at work: {len(owners(store.root))}", file=stream
    )
    for what in dict.fromkeys(leftover.what for leftover in found):
        own = [leftover for leftover in found if leftover.what == what]
        print(f"  {len(own):>6,} {what}, {_megabytes(sum(leftover.bytes for leftover in own))}", file=stream)
    whole = _megabytes(sum(leftover.bytes for leftover in found))
    if not found:
        print("nothing to remove", file=stream)
    elif not remove:
        print(f"{whole} would be freed: lotto gc --yes removes this", file=stream)
    else:
        removed = [leftover for leftover in found if _remove(store, leftover)]
        freed = _megabytes(sum(leftover.bytes for leftover in removed))
        print(f"{len(removed):,} removed, {freed} freed", file=stream)
        return len(removed)
    return 0


def leftovers(store: Store) -> Iterator[Leftover]:
    """All that may go, artifacts first."""
    kept = _kept(store)
    for key in store.artifacts():
        if key not in kept:  # a run refers to its stages before it makes the first
            yield _leftover("artifacts that no run refers to", store.folder(key), key)
    for folder in sorted((store.root / "damaged").glob("*")):
        yield _leftover("damaged artifacts", folder)
    yield from _unfinished(store, kept)
    for path in sorted((store.root / "failed").glob("*.json")):
        if path.stem not in kept or store.has(path.stem):
            yield _leftover("notes of failures that no run refers to", path)
    for path in (*remains(store.root), *forgotten(store)):
        yield _leftover("notes of processes and runs that are gone", path)


def _unfinished(store: Store, kept: set[str]) -> Iterator[Leftover]:
    """Checkpoints and half-written artifacts that nobody goes on from: no process is at work, and no run misses a stage."""
    if owners(store.root):
        return
    to_come = any(not store.has(key) for key in kept)
    for folder in sorted((store.root / "work").glob("*")):
        if not (to_come and (folder / "checkpoint.safetensors").exists()):
            yield _leftover("unfinished work that no run goes on from", folder)


def _kept(store: Store) -> set[str]:
    return {key for reference in references(store) for key in reference.stages}


def _remove(store: Store, leftover: Leftover) -> bool:
    """Remove it, unless a run has come to refer to it meanwhile. An artifact is renamed first: it is there whole or not at all."""
    if leftover.key is not None:
        if leftover.key in _kept(store):
            return False
        aside = store.scratch(f"removed-{uuid.uuid4().hex}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        leftover.path.rename(aside)
        shutil.rmtree(aside)
    elif leftover.path.is_dir():
        shutil.rmtree(leftover.path)
    else:
        leftover.path.unlink(missing_ok=True)
    return True


def _leftover(what: str, path: Path, key: str | None = None) -> Leftover:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return Leftover(what, path, sum(file.stat().st_size for file in files), key)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
