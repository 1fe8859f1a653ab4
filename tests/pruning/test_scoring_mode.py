"""What a network's mode does to scores: normalisation by the images or by running statistics, and never dropout."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

import lotto


class Dropping(nn.Module):
    """Batch normalisation, and dropout both as a module and by the network's own flag."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop, self.last = (
            nn.Linear(6, 8),
            nn.BatchNorm1d(8),
            nn.Dropout(0.5),
            nn.Linear(8, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.norm(self.first(x)).relu())
        return self.last(nn.functional.dropout(x, 0.5, self.training))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_dropout_is_off_and_normalisation_as_asked(mode: Literal["train", "eval"]) -> None:
    torch.manual_seed(0)
    model = Dropping()
    x, y = torch.randn(12, 6), torch.arange(12) % 3
    scores = lotto.scores(model, "snip", batches=[(x, y)], mode=mode)

    hidden = model.first(x)
    mean, variance = (
        (hidden.mean(0), hidden.var(0, correction=0)) if mode == "train" else (torch.zeros(8), torch.ones(8))
    )
    logits = model.last(((hidden - mean) / (variance + model.norm.eps).sqrt()).relu())
    weights = [model.first.weight, model.last.weight]
    gradients = torch.autograd.grad(nn.functional.cross_entropy(logits, y), weights)
    for name, weight, gradient in zip(["first.weight", "last.weight"], weights, gradients, strict=True):
        assert torch.allclose(scores[name], (weight * gradient).abs(), atol=1e-6)
