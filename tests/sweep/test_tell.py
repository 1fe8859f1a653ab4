"""What is said of a sweep while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lotto.store import Store
from lotto.sweep.definition import Sweep
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.tell import HowFar

SWEEP = """\
# Two points
overrides: ["model.plan=[20,12]", train.steps=60it, schedule.levels=2, replicates=1, "controls=[]", "probes=[evaluate]"]
axes: {seed: [0, 1]}
"""


@pytest.fixture
def planned(tmp_path: Path) -> PlannedSweep:
    (tmp_path / "two.yaml").write_text(SWEEP)
    return PlannedSweep.of(Sweep.read(str(tmp_path / "two.yaml")), [f"store={tmp_path / 'store'}"])


def publish(planned: PlannedSweep, store: Store, kind: str) -> None:
    for key, stage in planned.plan.stages.items():
        if stage.kind == kind:
            store.publish(key, {**stage.description, "result": {}}, {"a": torch.zeros(1)})


def test_trainings_and_probes_are_counted_apart(planned: PlannedSweep) -> None:
    store = Store(planned.spec.store)
    far = HowFar(planned, store)
    assert far.sentence().startswith(
        "sweep: 0 of 4 trainings done, 0 running, 0 of 4 probes read, 0 failed, 0 stored before; "
    )
    publish(planned, store, "train")
    assert far.sentence().startswith(
        "sweep: 4 of 4 trainings done, 0 running, 0 of 4 probes read, 0 failed, 0 stored before; "
    )
    # Begun now, there is nothing to train.
    assert HowFar(planned, store).sentence() == "sweep: 0 of 4 probes read, 0 failed, 4 stored before"
    publish(planned, store, "probe")
    assert HowFar(planned, store).sentence() == "sweep: 0 failed, 4 stored before"
