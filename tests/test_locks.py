"""One owner at a time, and the dead own nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lotto.locks import EXPIRY_SECONDS, Locks

PRELUDE = """
import sys, time
from pathlib import Path
from lotto.locks import Locks
root = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
locks = Locks(root)
"""


def start(root: Path, code: str) -> subprocess.Popen[str]:
    """A process that has imported everything and waits for a line before it runs ``code``."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def dead_lock(root: Path, key: str, age: float = 0.0, **owner: object) -> Path:
    """A lock of a process that is gone from this machine."""
    path = root / "locks" / f"{key}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    dead = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": "1", "token": "dead"}
    path.write_text(json.dumps({**dead, **owner}))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_only_one_of_two_gets_a_lock_until_it_is_given_back(tmp_path: Path) -> None:
    one, other = Locks(tmp_path), Locks(tmp_path)
    assert one.take(["a", "b"]) == {"a", "b"}
    assert other.take(["b", "c"]) == {"c"}
    assert one.take(["a", "c"]) == set()
    other.release(["a", "b"])  # not its own to give
    assert other.take(["a", "b"]) == set()
    one.release(["a"])
    assert other.take(["a", "b"]) == {"a"}


def test_all_locks_are_given_back_at_the_end(tmp_path: Path) -> None:
    with Locks(tmp_path).beating() as locks:
        locks.take(["a", "b"])
    assert Locks(tmp_path).take(["a", "b"]) == {"a", "b"}
    assert not list(tmp_path.rglob("*.new"))


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    owner = start(tmp_path, "print(sorted(locks.take(['a'])), flush=True); time.sleep(60)")
    tell(owner)
    assert heard(owner) == "['a']"
    assert Locks(tmp_path).take(["a"]) == set()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    assert Locks(tmp_path).take(["a"]) == {"a"}


def test_a_process_number_used_again_is_another_process(tmp_path: Path) -> None:
    dead_lock(tmp_path, "a", pid=os.getpid(), started="1")
    assert Locks(tmp_path).take(["a"]) == {"a"}


def test_a_lock_whose_heart_stopped_elsewhere_is_taken_over(tmp_path: Path) -> None:
    dead_lock(tmp_path, "young", host="elsewhere", age=EXPIRY_SECONDS / 2)
    dead_lock(tmp_path, "old", host="elsewhere", age=EXPIRY_SECONDS + 5)
    assert Locks(tmp_path).take(["young", "old"]) == {"old"}


def test_a_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lotto.locks.BEAT_SECONDS", 0.01)
    with Locks(tmp_path).beating() as locks:
        locks.take(["a"])
        path = tmp_path / "locks" / "a.lock"
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 5
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 5
        assert Locks(tmp_path).take(["a"]) == set()


def test_a_lock_given_back_under_the_beat_does_not_stop_the_heart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lotto.locks.BEAT_SECONDS", 0.01)
    with Locks(tmp_path).beating() as locks:
        locks.take(["a", "b"])
        monkeypatch.setattr(locks, "_is_mine", lambda path: True)  # judged mine, gone a moment later
        (tmp_path / "locks" / "a.lock").unlink()
        path = tmp_path / "locks" / "b.lock"
        for _ in range(2):
            os.utime(path, (1, 1))
            deadline = time.monotonic() + 5
            while path.stat().st_mtime < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert path.stat().st_mtime > 2


RACE = """
log = root / "log"
done = 0
while done < 8:
    if locks.take(["a"]):
        with log.open("a") as file:
            file.write("in\\n")
        time.sleep(0.002)
        with log.open("a") as file:
            file.write("out\\n")
        locks.release(["a"])
        done += 1
"""


def test_racing_processes_never_hold_a_lock_together(tmp_path: Path) -> None:
    racers = [start(tmp_path, RACE) for _ in range(4)]
    for racer in racers:
        tell(racer)
    assert [racer.wait(30) for racer in racers] == [0] * 4
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 32
    for racer in racers:
        racer.communicate()


def test_a_dead_lock_is_taken_over_by_one_alone(tmp_path: Path) -> None:
    keys = [f"{number:03}" for number in range(150)]
    for key in keys:
        dead_lock(tmp_path, key)
    code = f"print(*sorted(locks.take({keys})), flush=True); sys.stdin.readline()"
    racers = [start(tmp_path, code) for _ in range(4)]
    for racer in racers:
        tell(racer)
    taken = [key for racer in racers for key in heard(racer).split()]
    for racer in racers:
        racer.communicate("\n")
    assert sorted(taken) == keys
