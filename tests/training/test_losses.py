"""Losses of every example against formulas, and the gradient that training follows."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lotto.training.loss_names import LOSSES
from lotto.training.losses import losses_of
from tests.training.lab import Lab

LABELS = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])


def logits(stacked: bool, scale: float = 1.0) -> Tensor:
    """``[2, 4, 3]``; stacked: laid out as a stacked linear layer leaves them."""
    made = scale * torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    return (made.mT.contiguous().mT if stacked else made).requires_grad_()


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_values_and_gradients_are_those_of_the_formula(loss: str, stacked: bool, smoothing: float) -> None:
    given = logits(stacked)
    target = (1 - smoothing) * torch.eye(3)[LABELS] + smoothing / 3
    squared = ((given - target) ** 2).mean(2)
    expected = squared if loss == "squared_error" else -(target * torch.log_softmax(given.double(), 2)).sum(2)
    found = losses_of(given, LABELS, loss, smoothing)
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-6, atol=1e-7)
    outer = torch.arange(1.0, 9.0).view(2, 4)  # another weight for every example
    (gradient,) = torch.autograd.grad(found, given, outer.to(found.dtype))
    (wanted,) = torch.autograd.grad(expected, given, outer.to(expected.dtype))
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-7)


def test_in_float64_a_small_loss_is_not_rounded_to_zero_nor_its_gradient() -> None:
    given = torch.tensor([[[0.0, 30.0, 0.0]]], requires_grad=True)
    label = torch.tensor([[1]])
    found = losses_of(given, label, "cross_entropy_64")
    assert found.dtype == torch.float64
    assert float(found.detach()) == pytest.approx(math.log1p(2 * math.exp(-30)), rel=1e-2)
    (gradient,) = torch.autograd.grad(found.sum(), given)
    assert float(gradient[0, 0, 1]) == pytest.approx(-2 * math.exp(-30), rel=1e-2)
    assert float(losses_of(given.detach(), label, "cross_entropy")) == 0


def test_the_plain_loss_is_pytorchs_to_the_bit() -> None:
    given = logits(False)
    assert torch.equal(losses_of(given, LABELS)[0], F.cross_entropy(given[0], LABELS[0], reduction="none"))


@pytest.mark.parametrize("loss", LOSSES)
def test_evaluations_report_the_loss_that_is_trained(loss: str, tmp_path, without_figures) -> None:
    lab = Lab(tmp_path, f"train.loss={loss}", "schedule.levels=1")
    lab.run()
    trained = lab.trained()
    data = lab.spec.data
    from lotto.data.build import build
    from lotto.models.build import build as network
    from lotto.training.network import load_state

    model = network(lab.spec.model, data.input_shape, data.classes, 0)
    load_state(model, {name.removeprefix("weights/"): tensor for name, tensor in trained.items()})
    ((x, y),) = build(lab.spec.data_config).evaluation_batches("validation", 1000)
    with torch.no_grad():
        answers = model(x)
        expected = (
            F.mse_loss(answers, F.one_hot(y, 10).float())
            if loss == "squared_error"
            else F.cross_entropy(answers.double(), y)
        )
    (*_, last) = lab.store.metrics(lab.entry().trained.key)
    assert last["val_loss"] == pytest.approx(float(expected), rel=1e-5)
