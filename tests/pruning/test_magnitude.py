"""Magnitude, in float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import lotto
from lotto.models.init import initialise
from lotto.pruning.magnitude import scores
from tests.pruning.networks import plain


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


@pytest.mark.parametrize(
    ("ratio", "measured"), [(10, (17854, 8235, 531)), (100, (580, 1819, 263)), (1000, (4, 144, 119))]
)
def test_of_fresh_weights_the_wide_layers_go_first(ratio: int, measured: tuple[int, ...]) -> None:
    """784-300-100-10 by Kaiming's normal; measured for the sheet with another seed, so that counts agree to a tenth and a few."""
    torch.manual_seed(0)
    model = plain(784, 300, 100, 10)
    initialise(model, weights="kaiming_normal")
    counts = [*lotto.prune(model, "magnitude", 1 / ratio, allocation="global").counts().values()]
    assert sum(counts) == round(266_200 / ratio)
    assert counts == pytest.approx(measured, rel=0.1, abs=15)
