"""Magnitude, in float32."""

from __future__ import annotations

import torch
from torch import nn

from lotto.pruning.magnitude import scores


def test_scores_are_the_magnitudes_of_the_weights_alone() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.5, -2.0], [0.0, -0.25]]))
        model[2].weight.copy_(torch.tensor([[-3.0, 4.0]]))
    found = scores(model)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "0.weight": [[1.5, 2.0], [0.0, 0.25]],
        "2.weight": [[3.0, 4.0]],
    }


def test_scores_are_float32_detached_and_no_view_of_the_model() -> None:
    model = nn.Linear(3, 2).to(torch.bfloat16)
    before = model.weight.detach().clone()
    found = scores(model)["weight"]
    assert found.dtype == torch.float32
    assert not found.requires_grad
    found.zero_()
    assert torch.equal(model.weight, before)


def test_scores_of_positive_float32_weights_are_a_copy_too() -> None:
    model = nn.Linear(3, 2)
    nn.init.ones_(model.weight)
    scores(model)["weight"].zero_()
    assert model.weight.min() == 1
