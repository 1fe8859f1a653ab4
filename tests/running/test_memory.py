"""What one Train stage held is gone when the next begins, so that a run of many levels needs no more memory than one of few."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

import lotto
from lotto.running import runner
from lotto.training.fit import Fit
from lotto.training.network import Network

LENET = ("model.plan=[20,12]",)
RESNET = ("model=resnet20", "train.steps=3it", "train.evaluate_every=3it")


class Census:
    """After every Train stage: the bytes of all tensors alive, and how many objects of a fit are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes: list[int] = []
        self.left: list[int] = []
        train_stack = runner.train_stack

        def counted(*given: Any) -> Any:
            answer = train_stack(*given)
            self._count()
            return answer

        monkeypatch.setattr(runner, "train_stack", counted)

    def _count(self) -> None:
        alive = gc.get_objects()  # told apart by type: to ask an object whether it is an instance would wake lazy ones
        self.bytes.append(sum(tensor.nbytes for tensor in alive if type(tensor) in (torch.Tensor, torch.nn.Parameter)))
        kinds = (Fit, lightning.Trainer, Network)
        self.left.append(sum(issubclass(type(thing), kinds) for thing in alive))


@pytest.fixture
def census(monkeypatch: pytest.MonkeyPatch) -> Iterator[Census]:
    """Of what is made from now on, while the collector rests: when it would come depends on all else that the process did."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield Census(monkeypatch)
    gc.enable()
    gc.unfreeze()


@pytest.mark.parametrize(
    ("levels", "overrides"),
    [
        pytest.param(15, (*LENET, "replicates=1"), id="alone"),
        pytest.param(5, (*LENET, "replicates=2", "engine=dense"), id="stacked"),
        pytest.param(5, (*LENET, "replicates=2", "engine=sparse"), id="sparse"),
        pytest.param(5, (*RESNET, "replicates=1"), id="convolutions"),
        pytest.param(5, (*LENET, "replicates=1", "rewind.at=5it", "rewind.optimizer=follow"), id="optimizer state"),
    ],
)
def test_nothing_of_a_stage_outlives_it(
    census: Census, levels: int, overrides: tuple[str, ...], tmp_path: Path, without_figures: None
) -> None:
    lotto.run(
        [
            f"store={tmp_path / 'store'}",
            f"hydra.run.dir={tmp_path / 'run'}",
            "train.steps=10it",
            "train.evaluate_every=5it",
            *overrides,
            "controls=[]",
            "prune.rate=0.1",
            f"schedule.levels={levels}",
        ]
    )
    assert len(census.bytes) >= levels
    assert set(census.left) == {0}
    assert census.bytes[levels // 3] == census.bytes[-1]
