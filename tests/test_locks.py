"""One owner at a time, and the dead own nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lotto.locks import EXPIRY_SECONDS, GONE_SECONDS, Locks, machine, owners, remains

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


def dead_lock(root: Path, key: str, **owner: object) -> Path:
    """A lock of a process that is gone from this machine."""
    path = root / "locks" / f"{key}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    dead = {"host": "here", "machine": machine(), "pid": 2**22 + 1, "started": "1", "token": "dead"}
    path.write_text(json.dumps({**dead, **owner}))
    return path


class Elsewhere:
    """The files that a process of another machine keeps, whose clock is an hour fast."""

    def __init__(self, root: Path, key: str) -> None:
        self.beats = 0
        self.note = {"pid": 1, "machine": "elsewhere", "token": f"{key}-token"}
        self.heart = root / "locks" / f"{key}-token.alive"
        dead_lock(root, key, machine="elsewhere", token=f"{key}-token")

    def beat(self) -> None:
        self.beats += 1
        self.heart.write_text(json.dumps({**self.note, "beats": self.beats}))
        os.utime(self.heart, (time.time() + 3600, time.time() + 3600))


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


def test_a_lock_whose_heart_stands_still_elsewhere_is_taken_over_by_the_watch_of_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("lotto.locks.time.monotonic", lambda: now)
    still, beating = Elsewhere(tmp_path, "still"), Elsewhere(tmp_path, "beating")
    still.beat(), beating.beat()
    locks = Locks(tmp_path)
    assert locks.take(["still", "beating"]) == set()
    now += EXPIRY_SECONDS - 1
    beating.beat()
    assert locks.take(["still", "beating"]) == set()
    now += 2
    assert locks.take(["still", "beating"]) == {"still"}
    now += EXPIRY_SECONDS - 2
    assert locks.take(["beating"]) == set()
    now += 2
    assert locks.take(["beating"]) == {"beating"}


def test_a_lock_without_a_heart_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("lotto.locks.time.monotonic", lambda: now)
    dead_lock(tmp_path, "a", machine="elsewhere")
    locks = Locks(tmp_path)
    assert locks.take(["a"]) == set()
    now += EXPIRY_SECONDS + 1
    assert locks.take(["a"]) == {"a"}


def test_a_heart_beats_and_tells_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lotto.locks.BEAT_SECONDS", 0.01)
    with Locks(tmp_path).beating() as locks:
        locks.take(["a"])
        locks.note(done=17)
        deadline = time.monotonic() + 5
        seen: set[int] = set()
        while len(seen) < 3 and time.monotonic() < deadline:
            (owner,) = owners(tmp_path)
            if owner.get("done") == 17 and owner["holds"] == ["a"]:
                seen.add(owner["beats"])
        assert len(seen) == 3 and owner["pid"] == os.getpid() and owner["age"] < 5
    assert owners(tmp_path) == [] and not list((tmp_path / "locks").iterdir())


def test_who_has_been_silent_elsewhere_for_hours_is_gone(tmp_path: Path) -> None:
    elsewhere = Elsewhere(tmp_path, "a")
    elsewhere.beat()  # an hour fast
    assert len(owners(tmp_path)) == 1 and list(remains(tmp_path)) == []
    hours_ago = time.time() - GONE_SECONDS - 60
    os.utime(elsewhere.heart, (hours_ago, hours_ago))
    assert owners(tmp_path) == []
    assert [path.name for path in remains(tmp_path)] == ["a-token.alive", "a.lock"]


def test_a_full_disk_stops_no_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Locks(tmp_path).beating() as locks:
        (heart,) = (tmp_path / "locks").glob("*.alive")
        os.utime(heart, (1, 1))

        def full(self: Path, *given: object, **named: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        locks._beat()
        assert heart.stat().st_mtime > 1
        monkeypatch.undo()


def test_locks_hold_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    one, other = Locks(tmp_path), Locks(tmp_path)
    assert one.take(["a"]) == {"a"} and other.take(["a", "b"]) == {"b"}
    one.release(["a"])
    assert other.take(["a"]) == {"a"}


def test_a_link_whose_answer_was_lost_is_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def lost(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError

    monkeypatch.setattr(os, "link", lost)
    assert Locks(tmp_path).take(["a"]) == {"a"}


def test_who_died_while_burying_a_lock_is_buried_too(tmp_path: Path) -> None:
    dead_lock(tmp_path, "a")
    dead_lock(tmp_path, "a~dead", token="gravedigger")
    assert Locks(tmp_path).take(["a"]) == {"a"}
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["a.lock"]


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
