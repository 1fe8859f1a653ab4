"""Artifacts come back bit for bit, or are known to be damaged."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from lotto.errors import BadRequest, StageFailed
from lotto.store import FORMAT, METRICS, RECORD, TENSORS, Store

KEY = "ab" + "0" * 38
RECORDED = {"kind": "train", "version": 1, "result": {"test_accuracy": 0.1 + 0.2}}
ROWS = [{"step": 0, "val_loss": 2.302585}, {"step": 20, "val_loss": 1 / 3}]


def tensors() -> dict[str, torch.Tensor]:
    return {
        "weights/a": torch.tensor([[1e-45, -0.0], [float("inf"), 0.1]]),
        "mask/a": torch.tensor([[1, 0], [1, 1]], dtype=torch.uint8),
        "weights/b": torch.arange(4, dtype=torch.bfloat16)[::2],
        "weights/steps": torch.tensor(7),
    }


def bits(found: dict[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, list[int], bytes]]:
    return {
        name: (t.dtype, list(t.shape), bytes(t.contiguous().flatten().view(torch.uint8).tolist()))
        for name, t in found.items()
    }


def published(store: Store) -> Path:
    store.publish(KEY, RECORDED, tensors(), ROWS)
    return store.folder(KEY)


def files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_what_is_published_comes_back_bit_for_bit(store: Store) -> None:
    assert not store.has(KEY)
    assert not store.verify(KEY)
    folder = published(store)
    fresh = Store(store.root)
    assert fresh.has(KEY)
    assert fresh.verify(KEY)
    assert bits(fresh.tensors(KEY)) == bits(tensors())
    assert fresh.metrics(KEY) == ROWS
    assert RECORDED.items() <= fresh.record(KEY).items()
    assert list(fresh.artifacts()) == [KEY]
    assert folder == store.root / "ab" / KEY
    assert files_below(store.root) == [f"ab/{KEY}/{name}" for name in sorted((RECORD, TENSORS, METRICS))]


def test_the_first_of_two_is_kept(store: Store) -> None:
    folder = published(store)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    store.publish(KEY, {"kind": "other"}, {"weights/a": torch.zeros(1)})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(files_below(store.root)) == 3


def places(content: bytes, name: str) -> list[int]:
    """Every class of position: safetensors' length, its header and its payload; names, values and signs in JSON."""
    return sorted({0, 1, 7, 8, 9, len(content) - 1, *range(0, len(content), 5 if name != RECORD else 11)})


@pytest.mark.parametrize("name", [RECORD, TENSORS, METRICS])
def test_every_flipped_byte_is_found_and_the_artifact_set_aside(store: Store, name: str, tmp_path: Path) -> None:
    folder = published(store)
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    content = (folder / name).read_bytes()
    for number, place in enumerate(places(content, name)):
        damaged = bytearray(content)
        damaged[place] ^= 1
        (folder / name).write_bytes(damaged)
        assert not Store(store.root).verify(KEY), f"{name}, byte {place}"
        assert not store.has(KEY)
        assert not folder.exists()
        assert len(list((store.root / "damaged").iterdir())) == number + 1
        shutil.copytree(whole, folder)
    assert Store(store.root).verify(KEY)


@pytest.mark.parametrize("name", [RECORD, TENSORS, METRICS])
@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])], ids=["gone", "cut"]
)
def test_a_missing_or_shortened_file_is_no_artifact(store: Store, name: str, harm: Callable[[Path], Any]) -> None:
    harm(published(store) / name)
    assert not Store(store.root).has(KEY)
    assert not Store(store.root).verify(KEY)


def test_a_damaged_artifact_is_not_read_and_makes_room(store: Store) -> None:
    folder = published(store)
    (folder / TENSORS).write_bytes(b"x" + (folder / TENSORS).read_bytes()[1:])
    with pytest.raises(StageFailed, match=f"The artifact {KEY} .* is missing or damaged: run again to make it"):
        Store(store.root).tensors(KEY)
    (store.root / "ab").mkdir(exist_ok=True)
    shutil.copytree(next((store.root / "damaged").iterdir()), folder)
    Store(store.root).publish(KEY, RECORDED, tensors(), ROWS)
    assert bits(Store(store.root).tensors(KEY)) == bits(tensors())


def test_an_artifact_under_another_key_is_damaged(store: Store) -> None:
    other = "ab" + "1" * 38
    published(store).rename(store.folder(other))
    assert not store.has(other)
    assert not store.verify(other)


def test_a_kill_before_the_rename_leaves_no_artifact(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Path, target: Path) -> Path:
        assert (self / RECORD).exists()  # all is written by now
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            published(store)
    assert not store.has(KEY)
    assert list(store.artifacts()) == []
    assert files_below(store.root) == []
    published(store)
    assert store.verify(KEY)


def test_a_kill_that_leaves_its_aside_does_no_harm(store: Store) -> None:
    published(store).rename(store.root / "work" / f"{KEY}-left")
    assert not store.has(KEY)
    assert list(store.artifacts()) == []
    published(store)
    assert store.verify(KEY)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FULL_IN_RUST = SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("place", "name", "reason"),
    [
        (safetensors.torch, "save_file", FULL),
        (safetensors.torch, "save_file", FULL_IN_RUST),
        (Path, "write_text", FULL),
        (Path, "mkdir", FULL),
        (os, "fsync", FULL),
    ],
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: object, name: str, reason: Exception
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise reason

    for write in (
        lambda: store.publish(KEY, RECORDED, tensors(), ROWS),
        lambda: store.save_scratch("s", tensors(), {}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            if (place, name) == (Path, "write_text") and "scratch" in write.__code__.co_names[0]:
                continue  # scratch writes no text
            with pytest.raises(StageFailed) as failure:
                write()
        assert "No space left on device" in str(failure.value)
        assert str(failure.value).endswith("what was finished is safe: run again.")
        assert "\n" not in str(failure.value)
        assert files_below(store.root) == []
    published(store)
    assert store.verify(KEY)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        BadRequest, match=r"^store=.*/file/store cannot be written to \(.*\): name a folder that can\.$"
    ):
        Store(tmp_path / "file" / "store").check_writable()
    with pytest.raises(BadRequest):
        Store(tmp_path / "file").check_writable()
    Store(tmp_path / "new" / "store").check_writable()
    assert files_below(tmp_path) == ["file", "new/store/store.json"]


def test_a_store_of_a_newer_lotto_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).check_writable()
    note = tmp_path / "store.json"
    assert json.loads(note.read_text()) == {"format": FORMAT}
    note.write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(BadRequest, match=r"^store=.* is of a newer lotto \(format 2, here 1\): name another store"):
        Store(tmp_path).check_writable()
    note.write_text("{")  # cut short: written anew
    Store(tmp_path).check_writable()
    assert json.loads(note.read_text()) == {"format": FORMAT}


def test_unfinished_work_is_replaced_whole_and_discarded(store: Store) -> None:
    assert store.load_scratch("stack") is None
    store.save_scratch("stack", {"a": torch.zeros(2)}, {"step": 1})
    store.save_scratch("stack", tensors(), {"step": 2, "loss": 0.1})
    kept = Store(store.root).load_scratch("stack")
    assert kept is not None
    assert bits(kept[0]) == bits(tensors())
    assert kept[1] == {"step": 2, "loss": 0.1}
    assert files_below(store.root) == ["work/stack/checkpoint.safetensors"]
    store.discard("stack")
    assert store.load_scratch("stack") is None


def test_a_damaged_checkpoint_is_none(store: Store) -> None:
    store.save_scratch("stack", tensors(), {"step": 2})
    path = store.scratch("stack") / "checkpoint.safetensors"
    content = path.read_bytes()
    for place in places(content, TENSORS):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert store.load_scratch("stack") is None, f"byte {place} of {len(content)}"
    path.write_bytes(content[:-1])
    assert store.load_scratch("stack") is None
    path.write_bytes(b"")
    assert store.load_scratch("stack") is None


def test_nothing_is_pickled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    folder = published(store)
    store.save_scratch("stack", tensors(), {"step": 2})
    assert store.tensors(KEY)
    assert store.load_scratch("stack")
    json.loads((folder / RECORD).read_text())
    assert all(json.loads(line) for line in (folder / METRICS).read_text().splitlines())
