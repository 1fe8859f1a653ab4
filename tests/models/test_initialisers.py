"""Initialisers draw from the distribution that they are named after."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.init import initialise

FAN_IN, FAN_OUT = 300, 900  # unequal, so that Glorot's and Kaiming's scales differ
GLOROT = math.sqrt(2 / (FAN_IN + FAN_OUT))
KAIMING = math.sqrt(2 / FAN_IN)


def drawn(weights: str) -> torch.Tensor:
    torch.manual_seed(0)
    layer = nn.Linear(FAN_IN, FAN_OUT)
    initialise(layer, weights=weights)
    return layer.weight.detach()


def excess_kurtosis(values: torch.Tensor) -> float:
    return (((values - values.mean()) / values.std()) ** 4).mean().item() - 3


@pytest.mark.parametrize(
    ("weights", "std", "kurtosis"),
    [
        ("glorot_normal", GLOROT, 0.0),
        # Cutting a normal at two standard deviations multiplies its own by 0.8796; its excess kurtosis is -0.63.
        ("glorot_truncated", GLOROT * math.sqrt(1.3) * 0.87962566, -0.63),
        ("kaiming_normal", KAIMING, 0.0),
        ("lecun_normal", math.sqrt(1 / FAN_IN), 0.0),
        ("kaiming_uniform", KAIMING, -1.2),
        ("binary", KAIMING, -2.0),
    ],
)
def test_draws_have_the_spread_and_the_shape_of_the_formula(weights: str, std: float, kurtosis: float) -> None:
    weight = drawn(weights)
    assert weight.std().item() == pytest.approx(std, rel=0.01)
    assert abs(weight.mean().item()) < 0.01 * std
    assert excess_kurtosis(weight) == pytest.approx(kurtosis, abs=0.06)


def test_fans_of_a_convolution_count_its_kernel() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(40, 160, kernel_size=3)
    expected = {"glorot_normal": math.sqrt(2 / (9 * 200)), "kaiming_normal": math.sqrt(2 / (9 * 40))}
    expected["glorot_truncated"] = expected["glorot_normal"] * 1.0029
    for weights, std in expected.items():
        initialise(layer, weights=weights)
        assert layer.weight.std().item() == pytest.approx(std, rel=0.02)


def test_truncated_glorot_is_cut_at_two_standard_deviations() -> None:
    assert drawn("glorot_truncated").abs().max().item() <= 2 * math.sqrt(1.3) * GLOROT * (1 + 1e-6)
    assert drawn("glorot_normal").abs().max().item() > 3 * GLOROT


def test_binary_has_one_magnitude_and_the_signs_of_the_kaiming_draw() -> None:
    normal, binary = drawn("kaiming_normal"), drawn("binary")
    assert torch.equal(binary, normal.sign() * normal.std())


def test_orthogonal_has_orthonormal_columns() -> None:
    weight = drawn("orthogonal")
    torch.testing.assert_close(weight.T @ weight, torch.eye(FAN_IN), atol=1e-5, rtol=0)


@pytest.mark.parametrize("weights", ["lecun_normal", None])
def test_scale_multiplies_the_weights_and_nothing_else(weights: str | None) -> None:
    made = []
    for scale in (1.0, 8.0):
        torch.manual_seed(0)
        layer = nn.Linear(5, 4)
        initialise(layer, weights=weights, scale=scale)
        made.append(layer)
    assert torch.equal(8 * made[0].weight, made[1].weight)
    assert torch.equal(made[0].bias, made[1].bias)
    with pytest.raises(BadRequest, match=r"model\.init\.scale=0 must be greater than 0"):
        initialise(layer, scale=0)


def small_network() -> nn.Sequential:
    """A network in which nothing has the value that an initialiser sets."""
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.LayerNorm(8), nn.Linear(8, 4), nn.BatchNorm1d(4))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)
    return model


def changed(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if not (parameter == 7.0).all()}


def test_none_leaves_everything_as_the_constructor_drew_it() -> None:
    model = small_network()
    generator = torch.get_rng_state()
    initialise(model)
    assert changed(model) == set()
    assert torch.equal(torch.get_rng_state(), generator)


def test_every_option_touches_its_own_tensors_alone() -> None:
    touched = {}
    for option, name in (("weights", "kaiming_normal"), ("biases", "zero"), ("batchnorm", "fixed")):
        model = small_network()
        initialise(model, **{option: name})
        touched[option] = changed(model)
    assert touched == {
        "weights": {"0.weight", "3.weight"},
        "biases": {"0.bias", "3.bias"},
        "batchnorm": {"1.weight", "1.bias", "4.weight", "4.bias"},
    }


def test_zero_biases_are_zero() -> None:
    model = small_network()
    initialise(model, biases="zero")
    assert not model[0].bias.any() and not model[3].bias.any()


@pytest.mark.parametrize(
    ("batchnorm", "low", "high", "mean", "shift"),
    [
        ("uniform", 0.0, 1.0, 0.5, 0.0),
        ("fixed", 1.0, 1.0, 1.0, 0.0),
        ("oneone", 1.0, 1.0, 1.0, 1.0),
        ("positivenegative", -1.0, 1.0, 0.0, 0.0),
    ],
)
def test_batchnorm_scale_and_shift(batchnorm: str, low: float, high: float, mean: float, shift: float) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(10_000)
    initialise(norm, batchnorm=batchnorm)
    scale = norm.weight.detach()
    assert scale.min().item() == pytest.approx(low, abs=0.01) and scale.max().item() == pytest.approx(high, abs=0.01)
    assert scale.mean().item() == pytest.approx(mean, abs=0.03)
    assert (norm.bias == shift).all()


def test_batchnorm_without_parameters_is_passed_over() -> None:
    initialise(nn.BatchNorm2d(3, affine=False), batchnorm="uniform")


def test_shared_weight_is_drawn_once() -> None:
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    single = nn.Linear(4, 4)
    for model in (tied, single):
        torch.manual_seed(0)
        initialise(model, weights="glorot_normal")
    assert torch.equal(tied[0].weight, single.weight)


@pytest.mark.parametrize(
    ("option", "name", "nearest"),
    [("weights", "glorot_norml", "glorot_normal"), ("biases", "zeros", "zero"), ("batchnorm", "uniforn", "uniform")],
)
def test_unknown_name_is_refused_before_anything_is_drawn(option: str, name: str, nearest: str) -> None:
    model = small_network()
    with pytest.raises(BadRequest, match=rf"model\.init\.{option}={name} .*did you mean {nearest}"):
        initialise(model, **{"weights": "orthogonal", option: name})
    assert changed(model) == set()
