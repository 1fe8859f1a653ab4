"""Copies trained with other noise start alike, and end apart."""

from __future__ import annotations

from pathlib import Path

import torch

import lotto
from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.store import Store
from tests.e2e import TINY


def test_copies_share_their_start_and_differ_at_their_end(tmp_path: Path) -> None:
    asked = [*TINY, "replicates=1", "schedule.levels=2", "controls=[]", "rewind.at=15it", "probes=[interpolation]"]
    asked += ["probes.interpolation.points=3", "probes.interpolation.copies=2", f"store={tmp_path / 'store'}"]
    lotto.run([*asked, f"hydra.run.dir={tmp_path / 'run'}"])
    store = Store(tmp_path / "store")
    for reading in Plan.of(read_spec(composed(asked))).readings:
        one, other = (store.tensors(copy.key) for copy in reading.stage.parents.values())
        trained = store.tensors(reading.entry.trained.key)
        mask = store.tensors(reading.entry.start.key) if reading.entry.level else {}
        for first, second in ((one, other), (one, trained), (other, trained)):
            for name in (name for name in first if name.startswith("weights/") and name.endswith("weight")):
                assert not torch.equal(first[name], second[name])
        for name in (name for name in mask if name.startswith("mask/")):
            kept = mask[name].bool()
            assert not one[name.replace("mask/", "weights/")][~kept].any()
