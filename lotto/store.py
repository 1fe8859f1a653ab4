"""Content-addressed artifacts: written aside, synced, renamed into place, immutable from then on.

Nothing here imports torch before tensors are asked for.

An artifact lies at ``<store>/<first two hex digits>/<key>/``: ``stage.json`` (what it is, its parents, versions, times, results),
``tensors.safetensors`` and ``metrics.jsonl``. ``stage.json`` holds the checksums of the other two and its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest, StageFailed, StoreUnwritable
from lotto.locks import is_gone, signature
from lotto.report.aside import write_aside
from lotto.stage import canonical
from lotto.writable import check_writable

if TYPE_CHECKING:
    from torch import Tensor

# Raised when a store is laid out otherwise than before, so that an older lotto keeps its hands off.
FORMAT = 1
RECORD, TENSORS, METRICS = "stage.json", "tensors.safetensors", "metrics.jsonl"


class Store:
    """The artifacts below one folder, which is made when the first is published."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._verified: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def scratch(self, name: str) -> Path:
        """A folder for unfinished work of that name; it stays until ``discard`` and is never read as an artifact."""
        return self.root / "work" / name

    def check_writable(self) -> None:
        """Raises BadRequest, before anything is trained, if artifacts could not be written here, or not in the way of this version."""
        check_writable("store", self.root)
        note = self.root / "store.json"
        with suppress(FileNotFoundError, ValueError):
            found = int(json.loads(note.read_text())["format"])
            if found > FORMAT:
                raise BadRequest(
                    f"store={self.root} is of a newer lotto (format {found}, here {FORMAT}): name another store, or update lotto."
                )
            return
        with suppress(OSError):
            write_aside(note, json.dumps({"format": FORMAT}).encode())

    def has(self, key: str) -> bool:
        """Whether a whole artifact lies there: its record is sound and its files have their sizes. Contents: see ``verify``."""
        record = self._sound_record(key)
        return record is not None and all(
            _size(self.folder(key) / name) == entry["bytes"] for name, entry in record["files"].items()
        )

    def verify(self, key: str) -> bool:
        """Whether the artifact is there and every byte is as published. A damaged one is set aside, so that it is made again."""
        if key not in self._verified:
            if not self.folder(key).exists():
                return False
            record = self._sound_record(key)
            sound = record is not None and all(
                _checksum(self.folder(key) / name) == entry["sha256"] for name, entry in record["files"].items()
            )
            if not sound:
                self._set_aside(key)
                return False
            self._verified[key] = True
        return True

    def record(self, key: str) -> dict[str, Any]:
        """The artifact's ``stage.json``."""
        record = self._sound_record(key)
        if record is None:
            raise StageFailed(f"The artifact {key} in {self.root} is missing or damaged: run again to make it.")
        return record

    def tensors(self, key: str) -> dict[str, Tensor]:
        """The artifact's tensors, on the CPU, after a check of their checksum."""
        from safetensors.torch import load_file

        if not self.verify(key):
            raise StageFailed(f"The artifact {key} in {self.root} is missing or damaged: run again to make it.")
        return load_file(self.folder(key) / TENSORS)

    def metrics(self, key: str) -> list[dict[str, Any]]:
        """The artifact's metrics: one mapping for each evaluation."""
        with (self.folder(key) / METRICS).open() as lines:
            return [json.loads(line) for line in lines]

    def publish(
        self,
        key: str,
        record: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        metrics: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write an artifact aside, sync it and rename it into place. One that is already there is kept: it is the same.

        Raises:
            StageFailed: the disk is full or cannot be written to; nothing half-written is left.
        """
        from safetensors.torch import save_file

        aside = self.root / "work" / f"{key}-{uuid.uuid4().hex}-{signature()}"
        with self._writing(aside):
            aside.mkdir(parents=True)
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, aside / TENSORS)
            (aside / METRICS).write_text("".join(canonical(row) + "\n" for row in metrics))
            files = {
                name: {"bytes": _size(aside / name), "sha256": _checksum(aside / name)} for name in (TENSORS, METRICS)
            }
            whole = {
                **record,
                "key": key,
                "files": files,
                "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            (aside / RECORD).write_text(json.dumps({**whole, "checksum": _digest(whole)}, indent=1, sort_keys=True))
            for name in (TENSORS, METRICS, RECORD):
                _sync(aside / name)
            _sync(aside)
            self.folder(key).parent.mkdir(parents=True, exist_ok=True)
            self.verify(key)  # a damaged artifact of this key makes room
            try:
                aside.rename(self.folder(key))
            except OSError as reason:
                if reason.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                shutil.rmtree(aside)
            _sync(self.folder(key).parent)

    def save_scratch(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Keep unfinished work: one file, replaced whole, so that a kill at any moment leaves the last or the one before."""
        from safetensors.torch import save_file

        folder = self.scratch(name)
        written = folder / f"{uuid.uuid4().hex}.part"
        with self._writing(written):
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob("*.part"):
                leftover.unlink()
            save_file(
                {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()},
                written,
                {"state": canonical(state), "checksum": _scratch_digest(state, tensors)},
            )
            _sync(written)
            written.replace(folder / "checkpoint.safetensors")
            _sync(folder)

    def load_scratch(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What ``save_scratch`` kept, or None if there is nothing (readable) to go on from."""
        from safetensors import SafetensorError, safe_open

        path = self.scratch(name) / "checkpoint.safetensors"
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata()
                state = json.loads(metadata["state"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
                return (tensors, state) if _scratch_digest(state, tensors) == metadata["checksum"] else None
        except (SafetensorError, KeyError, ValueError, OSError):
            return None

    def discard(self, name: str) -> None:
        """Remove unfinished work."""
        shutil.rmtree(self.scratch(name), ignore_errors=True)

    def discard_abandoned(self) -> None:
        """Remove what processes that were killed were publishing."""
        for folder in (self.root / "work").glob("*-*-*~*"):
            if is_gone(folder.name.split("-", 2)[2]):
                shutil.rmtree(folder, ignore_errors=True)

    def artifacts(self) -> Iterator[str]:
        """Keys of all whole artifacts."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            if (folder / RECORD).exists():
                yield folder.name

    def _set_aside(self, key: str) -> None:
        target = self.root / "damaged" / f"{key}-{uuid.uuid4().hex[:8]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process set it aside just now
            self.folder(key).rename(target)

    def _sound_record(self, key: str) -> dict[str, Any] | None:
        try:
            record = json.loads((self.folder(key) / RECORD).read_text())
            checksum = record.pop("checksum")
        except (OSError, ValueError, KeyError, AttributeError):
            return None
        return record if checksum == _digest(record) and record.get("key") == key else None

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """Turn a failed write into one sentence, and leave nothing of ``path`` behind."""
        try:
            yield
        except BaseException as reason:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True) if path.is_file() else None
            if full := _write_error(reason):
                raise StoreUnwritable(
                    f"The store {self.root} could not be written to ({full}); what was finished is safe: run again."
                ) from None
            raise


def _write_error(reason: BaseException) -> str | None:
    if isinstance(reason, OSError):
        return reason.strerror or str(reason)
    # safetensors reports the operating system's errors in a type of its own.
    return str(reason) if type(reason).__name__ == "SafetensorError" else None


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _scratch_digest(state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    import torch

    digest = hashlib.sha256(canonical(state).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _checksum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
