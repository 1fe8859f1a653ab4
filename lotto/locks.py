"""Locks on the stages of a shared store, so that two processes never make one stage twice.

A lock is a file made with O_EXCL that names its owner. The owner's heartbeat touches it; a lock whose heart has stopped, or whose
owner is gone from this machine, is taken over. Artifacts stay safe without locks (they are renamed into place): locks save work.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT_SECONDS = 5.0
EXPIRY_SECONDS = 60.0


class Locks:
    """The locks of one process on one store."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "locks"
        pid = os.getpid()
        self._owner = {"host": socket.gethostname(), "pid": pid, "started": _started(pid), "token": uuid.uuid4().hex}
        self._held: set[str] = set()
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
            if self._is_mine(self._path(key)):
                self._path(key).unlink(missing_ok=True)

    @contextmanager
    def beating(self) -> Iterator[Locks]:
        """Keep the held locks alive from a thread, and give all of them back at the end."""
        beat = threading.Thread(target=self._beat, daemon=True)
        beat.start()
        try:
            yield self
        finally:
            self._stop.set()
            beat.join()
            self.release(list(self._held))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.lock"

    def _take(self, key: str) -> bool:
        path = self._path(key)
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._create(path):
            return True
        if not self._is_dead(path):
            return False
        # One at a time, and judged again inside: who judged a lock dead before another took it over would remove the new owner's.
        with (self._folder / "burial").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if self._is_dead(path):
                path.unlink(missing_ok=True)
        return self._create(path)

    def _create(self, path: Path) -> bool:
        # Written aside and linked: the lock never exists without its owner's name in it.
        mine = path.with_name(f"{self._owner['token']}.new")
        mine.write_text(json.dumps(self._owner))
        try:
            os.link(mine, path)
        except FileExistsError:
            return False
        finally:
            mine.unlink()
        return True

    def _is_mine(self, path: Path) -> bool:
        try:
            return bool(json.loads(path.read_text())["token"] == self._owner["token"])
        except (OSError, ValueError, KeyError):
            return False

    def _is_dead(self, path: Path) -> bool:
        try:
            owner = json.loads(path.read_text())
            age = time.time() - path.stat().st_mtime
        except (OSError, ValueError):
            return False  # given back just now; the next round will see
        if owner.get("host") == self._owner["host"] and _started(int(owner["pid"])) != owner.get("started"):
            return True
        return age > EXPIRY_SECONDS

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            with self._guard:
                held = list(self._held)
            for key in held:
                if self._is_mine(self._path(key)):
                    with suppress(OSError):  # given back just now
                        os.utime(self._path(key))


def signature() -> str:
    """Names this process, among all that were ever started on machines that share a store."""
    return f"{socket.gethostname()}~{os.getpid()}~{_started(os.getpid())}"


def is_gone(signed: str) -> bool:
    """Whether the process of a ``signature`` is known to have ended: it was of this machine, and runs no more."""
    host, _, process = signed.partition("~")
    pid, _, started = process.partition("~")
    return host == socket.gethostname() and pid.isdecimal() and str(_started(int(pid))) != started


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
