"""SNIP, Iterative SNIP, FORCE and GRASP-It against definitions worked out otherwise."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

import lotto
from lotto.mask import Mask
from lotto.pruning.criterion import Batch
from lotto.pruning.gradients import total_gradients
from tests.pruning.networks import Awkward, convolutional, drawn, images, plain


def mask_gradients(model: nn.Module, batch: Batch, mask: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """dL/dm by autograd on factors m in front of the weights, at m = 1 or at ``mask``."""
    trial = copy.deepcopy(model)
    weights = dict(trial.named_parameters())
    names = [name for name, weight in weights.items() if weight.dim() > 1]
    factors = {
        name: (torch.ones_like(weights[name]) if mask is None else mask[name].to(weights[name].dtype)).requires_grad_()
        for name in names
    }
    masked = {name: weights[name].detach() * factor for name, factor in factors.items()}
    loss = F.cross_entropy(functional_call(trial, masked, (batch[0],)), batch[1])
    found = torch.autograd.grad(loss, list(factors.values()))
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_score_is_the_loss_s_derivative_in_a_factor_on_the_weight(mode: str) -> None:
    model, batch = drawn(convolutional, double=True), images(12, double=True)
    # Statistics that differ from the images': else both modes of batch normalisation would do.
    model.get_submodule("1").running_mean.fill_(0.3)  # type: ignore[operator, union-attr]
    expected = mask_gradients(model.train(mode == "train"), batch)
    model.train(mode != "train")
    found = lotto.scores(model, "snip", batches=[batch], mode=mode)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name].abs(), rtol=1e-9, atol=1e-15)
    other = lotto.scores(model, "snip", batches=[batch], mode="eval" if mode == "train" else "train")
    assert not torch.allclose(found["0.weight"], other["0.weight"])


def test_train_is_the_mode_unless_said_otherwise() -> None:
    model, batch = drawn(convolutional).eval(), images(12)
    model.get_submodule("1").running_mean.fill_(0.3)  # type: ignore[operator, union-attr]
    found = {mode: lotto.scores(model, "snip", batches=[batch], mode=mode) for mode in ("train", "eval")}
    unsaid = lotto.scores(model, "snip", batches=[batch])
    assert torch.equal(unsaid["0.weight"], found["train"]["0.weight"])


def test_two_definitions_over_several_batches() -> None:
    model, batches = drawn(plain, 192, 20, 4, double=True), [images(n, seed=n, double=True) for n in (8, 24)]
    # One by one: signed, |w g_b| is |dL_b/dm|.
    each = [mask_gradients(model, batch) for batch in batches]
    gradient = lotto.scores(model, "snip", batches=batches, over_batches="gradient")
    score = lotto.scores(model, "snip", batches=batches, over_batches="score")
    for name in gradient:
        torch.testing.assert_close(gradient[name], (each[0][name] + each[1][name]).abs())
        torch.testing.assert_close(score[name], (8 * each[0][name].abs() + 24 * each[1][name].abs()) / 32)
        assert not torch.allclose(gradient[name], score[name])
    one = [lotto.scores(model, "snip", batches=batches[:1], over_batches=by) for by in ("gradient", "score")]
    for name in gradient:
        torch.testing.assert_close(one[0][name], one[1][name])


def test_a_multiple_of_the_loss_multiplies_the_scores_and_changes_no_mask() -> None:
    model, batch = drawn(convolutional), images(12)
    once, thrice = (lotto.scores(model, "snip", batches=[batch] * times) for times in (1, 3))
    for name in once:
        torch.testing.assert_close(3 * once[name], thrice[name])
    assert lotto.prune(model, "snip", 0.2, batches=[batch]) == lotto.prune(model, "snip", 0.2, batches=[batch] * 3)


def test_without_biases_the_signed_sum_is_the_same_in_every_layer() -> None:
    model, batch = drawn(plain, 192, 30, 20, 4, double=True), images(12, double=True)
    found = total_gradients(model, [batch])
    sums = [float((model.get_parameter(name).detach() * g).sum()) for name, g in found.items()]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-10)
    assert sums[0] != pytest.approx(0, abs=1e-6)


def test_batch_normalisation_in_training_makes_every_row_s_signed_sum_zero() -> None:
    model, batch = drawn(convolutional, double=True).train(), images(16, double=True)
    # It undoes the scale of each filter, but for what is added to the variance.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-15
    found = total_gradients(model, [batch])
    for name in ("0.weight", "3.weight", "7.weight"):
        rows = (model.get_parameter(name) * found[name]).sum((1, 2, 3))
        assert rows.abs().max() < 1e-12 < (model.get_parameter(name) * found[name]).abs().max() / 100


def test_what_gets_no_gradient_scores_zero_and_what_is_frozen_does_not() -> None:
    model, batch = drawn(Awkward), images(8)
    model.get_parameter("stem.weight").requires_grad_(False)
    found = lotto.scores(model, "snip", batches=[batch])
    assert not bool(found["unused.weight"].any())
    assert bool(found["stem.weight"].any())
    assert not model.get_parameter("stem.weight").requires_grad
    assert "second.weight" not in found  # the name that comes first stands for the shared weight


def test_a_shared_weight_counts_for_both_layers() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4, bias=False)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    model = drawn(Twice, double=True)
    batch = images(6, shape=(4,), double=True)
    apart = copy.deepcopy(model)
    apart.b.weight = nn.Parameter(model.get_parameter("a.weight").detach().clone())  # type: ignore[union-attr]
    each = mask_gradients(apart, batch)
    found = lotto.scores(model, "snip", batches=[batch])
    torch.testing.assert_close(found["a.weight"], (each["a.weight"] + each["b.weight"]).abs())


def test_reinit_scores_other_weights_and_leaves_the_model_s_alone() -> None:
    model, batch = drawn(convolutional), images(8)
    twice = [lotto.scores(model, "snip", batches=[batch], reinit=True, seed=3) for _ in range(2)]
    other = lotto.scores(model, "snip", batches=[batch], reinit=True, seed=4)
    plainly = lotto.scores(model, "snip", batches=[batch])
    assert torch.equal(twice[0]["0.weight"], twice[1]["0.weight"])
    assert not torch.allclose(twice[0]["0.weight"], other["0.weight"])
    assert not torch.allclose(twice[0]["0.weight"], plainly["0.weight"])


# -- in rounds --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["iterative_snip", "force", "grasp_it"])
def test_one_round_is_one_shot(criterion: str) -> None:
    model, batch = drawn(plain, 192, 20, 4), images(12)
    one = lotto.prune(model, criterion, 0.1, batches=[batch], rounds=1)
    score = lotto.scores(model, criterion, batches=[batch])
    assert one == lotto.prune(model, lambda _: score, 0.1)
    if criterion != "grasp_it":
        assert one == lotto.prune(model, "snip", 0.1, batches=[batch])


def by_hand(model: nn.Module, batch: Batch, density: float, rounds: int, returns: bool) -> Mask:
    """Iterative SNIP, or FORCE, with an argsort of numbers that autograd on m gave."""
    names = [name for name, weight in model.named_parameters() if weight.dim() > 1]
    weights = {name: model.get_parameter(name).detach() for name in names}
    total = sum(weight.numel() for weight in weights.values())
    mask = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    for number in range(1, rounds + 1):
        # dL/dm = w dL/d(m w), also where m = 0.
        score = torch.cat([g.abs().flatten() for g in mask_gradients(model, batch, mask).values()])
        if not returns:
            score[~torch.cat([kept.flatten() for kept in mask.values()])] = -1
        keep = round(total * density ** (number / rounds))
        chosen = torch.zeros(total, dtype=torch.bool)
        chosen[score.argsort(descending=True, stable=True)[:keep]] = True
        pieces = chosen.split([weight.numel() for weight in weights.values()])
        mask = {name: piece.view_as(weights[name]) for name, piece in zip(names, pieces, strict=True)}
    return Mask(mask)


@pytest.mark.parametrize(("criterion", "returns"), [("iterative_snip", False), ("force", True)])
def test_rounds_worked_out_by_hand(criterion: str, returns: bool) -> None:
    model, batch = drawn(plain, 192, 24, 4, double=True), images(12, double=True)
    found = lotto.prune(model, criterion, 0.02, batches=[batch], rounds=5)
    assert found == by_hand(model, batch, 0.02, 5, returns)
    assert found != by_hand(model, batch, 0.02, 5, not returns)


def test_force_scores_what_is_pruned_and_lets_it_return() -> None:
    model, batch = drawn(plain, 192, 24, 4, double=True), images(12, double=True)
    half = lotto.prune(model, "magnitude", 0.5)
    found = lotto.scores(model, "force", batches=[batch], mask=half)
    expected = mask_gradients(model, batch, half)
    for name in found:
        torch.testing.assert_close(found[name], expected[name].abs())
        assert bool(found[name][~half[name]].any())
        # With masked weights, what is pruned has no score.
        assert not bool(lotto.scores(model, "snip", batches=[batch], mask=half)[name][~half[name]].any())
    masks: dict[int, Any] = {
        rounds: lotto.prune(model, "force", 0.02, batches=[batch], rounds=rounds) for rounds in (1, 2)
    }
    first_of_two = lotto.prune(model, "force", 0.02**0.5, batches=[batch], rounds=1)
    assert not masks[2] <= first_of_two, "nothing returned in the second round"


def test_no_return_makes_nested_masks() -> None:
    """The first of two rounds to 4% stops at 20%: what goes on from there is within it."""
    model, batch = drawn(plain, 192, 24, 4), images(12)
    for criterion in ("iterative_snip", "grasp_it"):
        first = lotto.prune(model, criterion, 0.2, batches=[batch], rounds=1)
        second = lotto.prune(model, criterion, 0.04, batches=[batch], rounds=2)
        assert second <= first
        assert second == lotto.prune(model, criterion, 0.04, batches=[batch], rounds=1, mask=first)


def test_grasp_it_is_the_squared_mean_gradient() -> None:
    model, batches = drawn(plain, 192, 20, 4, double=True), [images(n, seed=n, double=True) for n in (8, 24)]
    each = [total_gradients(model, [batch]) for batch in batches]
    for name, tensor in lotto.scores(model, "grasp_it", batches=batches).items():
        torch.testing.assert_close(tensor, ((each[0][name] + each[1][name]) / 2) ** 2)
