"""Locks on the stages of a shared store, so that two processes never make one stage twice.

A lock is a file that names its owner. Every owner keeps a note of itself beside the locks and writes it anew every few seconds: its heart.
A lock is taken over when its owner is gone from this machine, or when its heart has stood still for a minute by the watch of whoever
waits: clocks of different machines are never compared. Everything rests on links and renames alone, which a network file system does
atomically where ``flock`` may be missing or local. Artifacts stay safe without locks (they are renamed into place): locks save work.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

BEAT_SECONDS = 5.0
EXPIRY_SECONDS = 60.0
# A heart of another machine that has stood still for so long is dead by any clock.
GONE_SECONDS = 2 * 3600.0


class Locks:
    """The locks of one process on one store."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "locks"
        pid = os.getpid()
        self._owner: dict[str, Any] = {
            "host": socket.gethostname(),
            "machine": machine(),
            "pid": pid,
            "started": _started(pid),
            "token": uuid.uuid4().hex,
        }
        self._held: set[str] = set()
        self._note: dict[str, Any] = {}
        self._beats = 0
        self._watched: dict[str, tuple[object, float]] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()

    def take(self, keys: Iterable[str]) -> set[str]:
        """Take every lock among ``keys`` that is free; those that another process holds are left out. In order of keys: no deadlock."""
        taken = {key for key in sorted(keys) if self._take(key)}
        with self._guard:
            self._held |= taken
        return taken

    def release(self, keys: Iterable[str]) -> None:
        """Give back locks that this process holds."""
        for key in keys:
            with self._guard:
                self._held.discard(key)
            if self._token(key) == self._owner["token"]:
                self._path(key).unlink(missing_ok=True)

    def note(self, **doing: Any) -> None:
        """What others read of this process with its next heartbeat: JSON values, kept until they are replaced."""
        with self._guard:
            self._note.update(doing)

    @contextmanager
    def beating(self) -> Iterator[Locks]:
        """Keep the held locks alive from a thread, and give all of them back at the end."""
        self._beat()
        beats = threading.Thread(target=self._beat_on, daemon=True)
        beats.start()
        try:
            yield self
        finally:
            self._stop.set()
            beats.join()
            self.release(list(self._held))
            with suppress(OSError):
                self._heart(self._owner["token"]).unlink(missing_ok=True)

    # -- files ----------------------------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.lock"

    def _heart(self, token: str) -> Path:
        return self._folder / f"{token}.alive"

    def _token(self, key: str) -> str | None:
        owner = _read(self._path(key))
        return None if owner is None else str(owner.get("token"))

    def _take(self, key: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._create(self._path(key)):
            return True
        owner = _read(self._path(key))
        if owner is None or not self._is_dead(owner):
            return False
        # Who removes a dead owner's lock does so under a lock of its own, and looks again inside: who judged it dead before another took
        # it over would remove the new owner's.
        burial = f"{key}~{str(owner.get('token'))[:12]}"
        if not self._take(burial):
            return False
        try:
            if self._token(key) == owner.get("token"):
                self._path(key).unlink(missing_ok=True)
        finally:
            self._path(burial).unlink(missing_ok=True)
        return self._create(self._path(key))

    def _create(self, path: Path) -> bool:
        # Written aside and linked: the lock never exists without its owner's name in it.
        mine = path.with_name(f"{self._owner['token']}.new")
        mine.write_text(json.dumps(self._owner))
        try:
            os.link(mine, path)
        except FileExistsError:
            # A network file system may say so of the link that it made itself, when its first answer was lost.
            return mine.stat().st_nlink == 2
        except OSError:
            return _create_alone(path, json.dumps(self._owner))
        finally:
            mine.unlink()
        return True

    def _is_dead(self, owner: Mapping[str, Any]) -> bool:
        if owner.get("machine") == self._owner["machine"] and _started(int(owner["pid"])) != owner.get("started"):
            return True
        token = str(owner.get("token"))
        beat, now = _fingerprint(self._heart(token)), time.monotonic()
        last, since = self._watched.setdefault(token, (beat, now))
        if last != beat:
            self._watched[token] = (beat, now)
            return False
        return now - since > EXPIRY_SECONDS

    def _beat_on(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        heart = self._heart(self._owner["token"])
        with self._guard:
            self._beats += 1
            own = {"beats": self._beats, "clock": time.monotonic(), "holds": sorted(self._held)}
            note = {**self._owner, **own, **self._note}
        aside = heart.with_suffix(".beat")
        try:
            heart.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(note))
            aside.replace(heart)
        except OSError:
            with suppress(OSError):  # a full disk holds no new note, but the time of the old one moves
                aside.unlink(missing_ok=True)
                os.utime(heart)


def owners(root: Path) -> list[dict[str, Any]]:
    """What the processes at a store note of themselves, with ``age``: seconds since their last heartbeat by this machine's clock.

    Those that are gone are left out.
    """
    found = []
    for heart in sorted((root / "locks").glob("*.alive")):
        note = _read(heart)
        if note is not None and not _is_gone(heart, note):
            found.append({**note, "age": max(0.0, _age(heart))})
    return found


def remains(root: Path) -> Iterator[Path]:
    """Files below a store's ``locks`` of processes that are gone."""
    for path in sorted((root / "locks").glob("*")):
        owner = _read(path)
        if owner and _is_gone(path.with_name(f"{owner.get('token')}.alive"), owner):
            yield path


def _is_gone(heart: Path, owner: Mapping[str, Any]) -> bool:
    if owner.get("machine") == machine():
        return _started(int(owner["pid"])) != owner.get("started")
    return _age(heart) > GONE_SECONDS


def _age(path: Path) -> float:
    """Seconds since it was written by this machine's clock; endless if it is not there."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


@cache
def machine() -> str:
    """Names this machine since its last start, as far as process numbers mean the same: its name, start and process namespace."""
    with suppress(OSError):
        start = Path("/proc/sys/kernel/random/boot_id").read_text()
        namespace = Path("/proc/self/ns/pid").readlink()
        return f"{socket.gethostname()}.{hashlib.sha256(f'{start}{namespace}'.encode()).hexdigest()[:8]}"
    return socket.gethostname()


def signature() -> str:
    """Names this process, among all that were ever started on machines that share a store."""
    return f"{machine()}~{os.getpid()}~{_started(os.getpid())}"


def is_gone(signed: str) -> bool:
    """Whether the process of a ``signature`` is known to have ended: it was of this machine, and runs no more."""
    where, _, process = signed.partition("~")
    pid, _, started = process.partition("~")
    return where == machine() and pid.isdecimal() and str(_started(int(pid))) != started


def _create_alone(path: Path, text: str) -> bool:
    """Where there are no hard links: for a moment the lock is there without its owner's name."""
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """What a file of this folder says; None if it is not there (any more) or not whole."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "pid" in found else None


def _fingerprint(path: Path) -> object:
    """Changes with every beat. The file is opened for it: a network file system then asks its server."""
    try:
        with path.open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When process ``pid`` of this machine was started, None if there is none: a number that is used again is another process."""
    try:
        # The name in brackets may hold spaces; the start time is the 20th field behind it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "running"
    return "running" if not Path("/proc/self/stat").exists() else None
