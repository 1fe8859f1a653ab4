"""Optimizer state that is given back lies in memory as its weights do, which a fused update takes for granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lotto.training.slots import read_slots, write_slots
from tests.training.lab import Lab

CONVOLUTIONS = (
    "model=resnet20",
    "model.depth=8",
    "model.width=4",
    "train.steps=12it",
    "train.evaluate_every=6it",
    "replicates=1",
    "schedule.levels=2",
    "controls=[]",
)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_state_given_back_moves_the_weights_that_it_belongs_to(kind: Any) -> None:
    def optimizer(parameter: nn.Parameter) -> torch.optim.Optimizer:
        options: dict[str, Any] = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return kind([parameter], lr=0.1, fused=True, **options)

    start = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    parameters = [nn.Parameter(start.clone().to(memory_format=torch.channels_last)) for _ in range(2)]
    went_on, given_back = (optimizer(parameter) for parameter in parameters)
    for parameter in parameters:
        parameter.grad = torch.arange(108.0).view(4, 3, 3, 3).to(memory_format=torch.channels_last)
    went_on.step()
    with torch.no_grad():
        parameters[1].copy_(parameters[0])
    # As an artifact holds it: contiguous.
    kept = {name: slot.contiguous() for name, slot in read_slots(went_on, {"w": parameters[0]}).items()}
    write_slots(kept, given_back, {"w": parameters[1]}, torch.device("cpu"))
    for either in (went_on, given_back):
        either.step()
    assert torch.equal(*parameters)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_convolutions_that_pass_a_rewinding_point_train_as_if_they_had_not(tmp_path: Path, optimizer: str) -> None:
    whole = Lab(tmp_path / "whole", f"train/optimizer={optimizer}", base=CONVOLUTIONS)
    split = Lab(tmp_path / "split", f"train/optimizer={optimizer}", "rewind.at=5it", base=CONVOLUTIONS)
    assert not whole.run().failed and not split.run().failed
    for name, tensor in whole.trained().items():
        assert torch.equal(tensor, split.trained()[name]), name


@pytest.mark.parametrize("rewind", ["weights", "learning_rate"])
def test_tickets_of_convolutions_stay_sparse_with_the_optimizer_state_that_follows(tmp_path: Path, rewind: str) -> None:
    lab = Lab(
        tmp_path,
        "train/optimizer=sgd",
        f"rewind={rewind}",
        "rewind.at=5it",
        "rewind.optimizer=follow",
        base=CONVOLUTIONS,
    )
    assert not lab.run().failed
    pruned = lab.store.tensors(lab.entry(1).start.key)["mask/conv.weight"] == 0
    assert bool(pruned.any()) and not bool(lab.trained(level=1)["weights/conv.weight"][pruned].any())
