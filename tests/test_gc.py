"""What may go from a store, and what may not."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from lotto.api import run
from lotto.errors import BadRequest
from lotto.gc import collect
from lotto.locks import Locks
from lotto.plan import Plan
from lotto.references import refer, references
from lotto.status import print_status
from lotto.store import Store

TINIEST = ("model.plan=[8]", "train.steps=10it", "train.evaluate_every=10it", "replicates=1", "schedule.levels=2")

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with two runs, of which the second has a control more."""
    for name, more in (("one", "controls=[]"), ("two", "controls=[shuffle]")):
        run([*TINIEST, more, f"store={tmp_path / 'store'}", f"hydra.run.dir={tmp_path / name}"])
    return Store(tmp_path / "store")


def said(store: Store, remove: bool = False) -> str:
    stream = io.StringIO()
    collect(store, remove, stream)
    return stream.getvalue()


def test_what_a_run_refers_to_stays_and_what_none_does_goes_after_it_was_shown(store: Store, tmp_path: Path) -> None:
    one, two = references(store)
    shared, all_of_it = sorted((set(one.stages), set(two.stages)), key=len)
    assert shared < all_of_it and set(store.artifacts()) == all_of_it
    assert "nothing to remove" in said(store, remove=True)
    shutil.rmtree(tmp_path / "two")
    shown = said(store)
    assert f"{len(all_of_it - shared)} artifacts that no run refers to" in shown and "lotto gc --yes" in shown
    assert set(store.artifacts()) == all_of_it  # shown, not removed
    said(store, remove=True)
    assert set(store.artifacts()) == shared and "nothing to remove" in said(store)
    assert run([*TINIEST, "controls=[]", f"store={store.root}", f"hydra.run.dir={tmp_path / 'one'}"])["cached"].all()


def test_nothing_goes_while_a_process_is_at_work_on_a_run_whose_folder_is_gone(store: Store, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "two")
    before = set(store.artifacts())
    with Locks(store.root).beating():
        said(store, remove=True)
        assert set(store.artifacts()) == before


def test_checkpoints_stay_while_a_run_misses_a_stage(store: Store) -> None:
    folder = store.scratch("0" * 40)
    folder.mkdir(parents=True)
    (folder / "checkpoint.safetensors").write_bytes(b"half")
    (run_of_two,) = [reference for reference in references(store) if reference.folder.name == "two"]
    shutil.rmtree(store.folder(run_of_two.tickets[-1]))
    said(store, remove=True)
    assert folder.is_dir()
    shutil.rmtree(run_of_two.folder)
    said(store, remove=True)
    assert not folder.exists()


def test_notes_of_dead_processes_and_damaged_artifacts_go(store: Store) -> None:
    locks = Locks(store.root)
    locks.take(["a"])
    path = store.root / "locks" / "a.lock"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": 2**22 + 1}))
    (store.root / "damaged" / "b").mkdir(parents=True)
    said(store, remove=True)
    assert not path.exists() and not (store.root / "damaged" / "b").exists()


def test_there_must_be_a_store(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"is no store"):
        collect(Store(tmp_path / "none"), True, io.StringIO())


def test_a_store_that_takes_no_notes_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "references").write_text("in the way")
    refer(Store(tmp_path), tmp_path, [], Plan())
    assert references(Store(tmp_path)) == []


def test_status_shows_who_works_on_what_and_what_failed(store: Store) -> None:
    stream = io.StringIO()
    (store.root / "failed").mkdir()
    note = {"stage": {"kind": "train"}, "reason": "The loss was not finite.", "traceback": ""}
    (store.root / "failed" / f"{'f' * 40}.json").write_text(json.dumps(note))
    with Locks(store.root).beating() as locks:
        doing = {"level": 3, "branch": "ticket", "replicates": 5}
        locks.note(doing=doing, steps=1000, done=250, began=0.0)
        locks._beat()
        print_status(store, stream)
    text = stream.getvalue()
    assert "1 process at work" in text and "level 3 ticket, 5 replicates" in text and "250 of 1,000 steps" in text
    assert "train ffffffff" in text and "The loss was not finite." in text
    assert "2 of 2" in text and "3 of 3" in text


def test_status_of_an_empty_place_says_so(tmp_path: Path) -> None:
    stream = io.StringIO()
    print_status(Store(tmp_path / "none"), stream)
    assert "0 processes at work" in stream.getvalue()
