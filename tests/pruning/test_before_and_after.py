"""Criteria that look at the weights before and after training, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import lotto
from lotto.errors import BadRequest

BEFORE = [1.0, -2.0, 0.5, 3.0]
AFTER = [2.0, 1.0, -0.5, 2.5]
EXPECTED = {
    "magnitude": [2.0, 1.0, 0.5, 2.5],
    "magnitude_increase": [1.0, -1.0, 0.0, -0.5],
    "movement": [1.0, 3.0, 1.0, 0.5],
    "large_init": [1.0, 2.0, 0.5, 3.0],
    "large_final_same_sign": [2.0, 0.0, 0.0, 2.5],
}


def network() -> nn.Module:
    model = nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([AFTER]))
    return model


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_by_hand(name: str) -> None:
    options = {} if name == "magnitude" else {"initial": {"weight": torch.tensor([BEFORE])}}
    assert lotto.scores(network(), name, **options)["weight"].flatten().tolist() == EXPECTED[name]


def test_without_the_initial_weights_it_says_what_it_lacks() -> None:
    with pytest.raises(BadRequest, match="initial=true"):
        lotto.scores(network(), "movement")
