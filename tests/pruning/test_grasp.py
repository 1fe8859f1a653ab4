"""GraSP against an explicit Hessian, and against the gradient norm that is left."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

import lotto
from lotto.pruning.criterion import Batch
from tests.pruning.networks import drawn, images, plain


def flat(model: nn.Module, batches: list[Batch], temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, gradient and explicit Hessian of the summed losses, float64 ``[n]``, ``[n]`` and ``[n, n]``."""
    names = [name for name, weight in model.named_parameters() if weight.dim() > 1]
    shapes = [model.get_parameter(name).shape for name in names]
    start = torch.cat([model.get_parameter(name).detach().flatten() for name in names])

    def loss(weights: Tensor) -> Tensor:
        pieces = weights.split([shape.numel() for shape in shapes])
        given = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}
        return sum(F.cross_entropy(functional_call(model, given, (x,)) / temperature, y) for x, y in batches)  # type: ignore[return-value]

    gradient = torch.autograd.functional.jacobian(loss, start)
    return start, gradient, torch.autograd.functional.hessian(loss, start)


def joined(scores: dict[str, Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in scores.values()])


def halves(batch: Batch) -> list[Batch]:
    half = len(batch[1]) // 2
    return [(batch[0][:half], batch[1][:half]), (batch[0][half:], batch[1][half:])]


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("cut", [True, False])
def test_score_is_the_weight_times_the_hessian_times_the_gradient(temperature: float, cut: bool) -> None:
    model, batch = drawn(plain, 12, 5, 4, double=True), images(8, shape=(12,), double=True)
    parts = halves(batch) if cut else [batch]
    weights, gradient, hessian = flat(model, parts, temperature)
    found = joined(lotto.scores(model, "grasp", batches=[batch], temperature=temperature, halves=cut))
    expected = weights * (hessian @ gradient)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-16)
    assert bool((found > 0).any()) and bool((found < 0).any()), "the score has a sign"
    absolute = lotto.scores(model, "grasp", batches=[batch], temperature=temperature, halves=cut, absolute=True)
    assert torch.equal(joined(absolute), found.abs())


def test_batch_normalisation_has_its_own_statistics_in_each_half() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4))

    model, batch = drawn(network, double=True).eval(), images(12, shape=(6,), double=True)
    weights, gradient, hessian = flat(copy.deepcopy(model).train(), halves(batch), 200.0)
    found = joined(lotto.scores(model, "grasp", batches=[batch]))
    torch.testing.assert_close(found, weights * (hessian @ gradient), rtol=1e-8, atol=1e-18)
    evaluated = flat(model, halves(batch), 200.0)
    found = joined(lotto.scores(model, "grasp", batches=[batch], mode="eval"))
    torch.testing.assert_close(found, evaluated[0] * (evaluated[2] @ evaluated[1]), rtol=1e-8, atol=1e-18)


def test_temperature_changes_the_ranking() -> None:
    model, batch = drawn(plain, 192, 30, 4), images(40)
    ranks = [
        joined(lotto.scores(model, "grasp", batches=[batch], temperature=temperature)).argsort().argsort().double()
        for temperature in (1.0, 200.0)
    ]
    spearman = float(torch.corrcoef(torch.stack(ranks))[0, 1])
    assert 0 < spearman < 0.95
    unsaid = lotto.scores(model, "grasp", batches=[batch])
    assert torch.equal(joined(unsaid).argsort().argsort().double(), ranks[1])


def test_score_is_what_is_lost_of_the_squared_gradient_as_a_weight_begins_to_shrink() -> None:
    model, batch = drawn(plain, 12, 5, 4, double=True), images(8, shape=(12,), double=True)
    found = joined(lotto.scores(model, "grasp", batches=[batch], temperature=1.0, halves=False))
    eps = 1e-6

    def norm(place: int, by: float) -> float:
        trial = copy.deepcopy(model)
        weights = [*trial.parameters()]
        with torch.no_grad():
            flat_weights = torch.cat([weight.flatten() for weight in weights])
            flat_weights[place] *= 1 - by
            nn.utils.vector_to_parameters(flat_weights, weights)
        g = torch.autograd.grad(F.cross_entropy(trial(batch[0]), batch[1]), weights)
        return 0.5 * sum(float((own**2).sum()) for own in g)

    for place in (0, 17, 41, 60, 70):
        lost = -(norm(place, eps) - norm(place, -eps)) / (2 * eps)
        assert float(found[place]) == pytest.approx(lost, rel=1e-4, abs=1e-12)


def test_kept_are_those_whose_loss_would_weaken_the_gradient_most() -> None:
    """The wrong tail of the ranking is another mask."""
    model, batch = drawn(plain, 12, 5, 4, double=True), images(8, shape=(12,), double=True)
    weights, gradient, hessian = flat(model, halves(batch), 200.0)
    change = -weights * (hessian @ gradient)  # S of the paper: what is added to the gradient flow by removal
    mask = joined(dict(lotto.prune(model, "grasp", 0.25, batches=[batch])))
    assert int(mask.sum()) == 20
    assert change[mask].max() <= change[~mask].min()
    assert change[mask].max() < 0


def test_without_biases_layers_share_a_conserved_sum() -> None:
    model, batch = drawn(plain, 192, 30, 20, 4, double=True), images(12, double=True)
    found = lotto.scores(model, "grasp", batches=[batch], temperature=1.0, halves=False)
    g = torch.autograd.grad(F.cross_entropy(model(batch[0]), batch[1]), [*model.parameters()])
    sums = [float(score.sum() + (own**2).sum()) for score, own in zip(found.values(), g, strict=True)]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-9)


def test_reinit_draws_linear_layers_alone() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 4))

    model, batch = drawn(network), images(8)
    drawn_afresh = lotto.scores(model, "grasp", batches=[batch], reinit=True)
    small = copy.deepcopy(model)
    with torch.no_grad():
        small.get_parameter("2.weight").mul_(0.01)
    assert torch.equal(joined(lotto.scores(small, "grasp", batches=[batch], reinit=True)), joined(drawn_afresh))
    with torch.no_grad():
        small.get_parameter("0.weight").mul_(0.01)
    assert not torch.equal(joined(lotto.scores(small, "grasp", batches=[batch], reinit=True)), joined(drawn_afresh))
