"""A configuration and a number make the same bits, and what cannot be built is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.build import build, skeleton

SHAPE = (1, 8, 8)
LENET = {
    "_target_": "lotto.models.lenet.LeNet",
    "plan": [12, 6],
    "init": {"weights": "glorot_normal", "biases": "zero", "batchnorm": "fixed"},
}


class Asking(nn.Module):
    """A user's network that wants its shape as a tuple and its classes as ``num_classes``."""

    def __init__(
        self, input_shape: tuple[int, int, int], num_classes: int, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        assert type(input_shape) is tuple and (extra is None or type(extra) is dict)
        self.fc = nn.Linear(input_shape[1] * input_shape[2], num_classes)
        self.norm = nn.BatchNorm1d(num_classes)
        self.norm.eval()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.norm(self.fc(inputs.flatten(1)))


class Fixed(nn.Module):
    """A user's network that asks for nothing and always has 3 outputs."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.fc = nn.Linear(64, outputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(inputs.flatten(1))


class ReadsItsDraws(Fixed):
    """A constructor that the meta device cannot run."""

    def __init__(self) -> None:
        super().__init__(outputs=3 if torch.rand(1).item() < 2 else 4)


class Pair(Fixed):
    def forward(self, inputs: torch.Tensor) -> Any:
        return super().forward(inputs), None


def here(name: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": f"{__name__}.{name}", **arguments}


def same_bits(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("config", [LENET, {**LENET, "init": None}], ids=["initialised", "constructor's own"])
def test_same_number_gives_the_same_bits_whatever_happened_before(config: dict[str, Any]) -> None:
    torch.manual_seed(1)
    first = build(config, SHAPE, 5, seed_number=2**62 + 1)
    torch.rand(17)
    second = build(config, SHAPE, 5, seed_number=2**62 + 1)
    assert same_bits(first, second)
    assert not same_bits(first, build(config, SHAPE, 5, seed_number=2**62 + 2))


def test_the_generators_of_the_caller_are_untouched() -> None:
    torch.manual_seed(3)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]
    build(LENET, SHAPE, 5, seed_number=0)
    skeleton(LENET, SHAPE, 5)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_configuration_is_not_changed() -> None:
    before = {**LENET, "plan": list(LENET["plan"]), "init": dict(LENET["init"])}
    build(LENET, SHAPE, 5, seed_number=0)
    assert before == LENET


def test_init_is_applied_after_construction() -> None:
    model = build(LENET, SHAPE, 5, seed_number=0)
    assert [layer.out_features for layer in model.fc_layers] == [12, 6]
    assert not model.fc_layers[0].bias.any()
    assert build({**LENET, "init": {}}, SHAPE, 5, seed_number=0).fc_layers[0].bias.any()


def test_shape_and_classes_are_given_to_who_asks_for_them() -> None:
    assert build(here("Asking", extra={"a": [1]}), SHAPE, 5, seed_number=0).fc.out_features == 5
    assert build(here("Fixed"), SHAPE, 3, seed_number=0).fc.out_features == 3
    assert build(here("Fixed", outputs=7), SHAPE, 7, seed_number=0).fc.out_features == 7


def test_torchvision_builder_may_be_the_target_itself() -> None:
    model = skeleton({"_target_": "torchvision.models.resnet18"}, (3, 32, 32), 6)
    assert model.fc.out_features == 6


def test_what_the_configuration_sets_is_kept() -> None:
    with pytest.raises(BadRequest, match=r"gives \[2, 4\] for two inputs, and 5 classes need \[2, 5\]"):
        build(here("Asking", num_classes=4), SHAPE, 5, seed_number=0)


def test_looking_at_the_outputs_changes_neither_buffers_nor_modes() -> None:
    model = build(here("Asking"), SHAPE, 5, seed_number=0)
    assert model.calls.item() == 0 and model.norm.num_batches_tracked.item() == 0
    assert model.training and not model.norm.training


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"init": None}, "model._target_ is missing"),
        ({"_target_": "???"}, "model._target_ is missing"),
        ({"_target_": "lotto.models.nowhere.Net"}, "lotto.models.nowhere.Net cannot be built: No module named"),
        ({"_target_": "lotto.models.lenet.LeNot"}, "lenet.LeNot cannot be built: No module named"),
        ({"_target_": "torch"}, "torch cannot be built: Expected a callable"),
        ({**LENET, "plam": [3]}, "unexpected keyword argument 'plam'"),
        ({**LENET, "plan": [-1]}, "^model.plan=-1"),
        ({**LENET, "init": {"weight": "binary"}}, "model.init=weight is unknown.*did you mean weights"),
        ({**LENET, "init": {"weights": "bin"}}, "model.init.weights=bin is unknown"),
        ({"_target_": "fractions.Fraction"}, "gives a Fraction, and a torch.nn.Module is needed"),
        (here("Fixed"), r"gives \[2, 3\] for two inputs"),
        (here("Pair"), "gives tuple for two inputs"),
        (here("Fixed", outputs="many"), "Fixed cannot be built"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_sentence(config: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words) as refusal:
        build(config, SHAPE, 5, seed_number=0)
    assert "\n" not in str(refusal.value)


def test_images_that_the_network_cannot_take_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"Fixed cannot take inputs of shape \[3, 8, 8\]: .*mat1 and mat2"):
        build(here("Fixed"), (3, 8, 8), 3, seed_number=0)


@pytest.mark.parametrize(
    "config", [LENET, here("ReadsItsDraws", init={"weights": "orthogonal"})], ids=["lenet", "reads"]
)
def test_skeleton_has_the_names_and_shapes_but_not_the_numbers(config: dict[str, Any]) -> None:
    classes = 3
    bare, full = skeleton(config, SHAPE, classes), build(config, SHAPE, classes, seed_number=0)
    assert {name: value.shape for name, value in bare.named_parameters()} == {
        name: value.shape for name, value in full.named_parameters()
    }
    assert all(parameter.is_meta for parameter in bare.parameters())


def test_skeleton_refuses_what_build_refuses() -> None:
    for config in (
        {**LENET, "init": {"weights": "bin"}},
        {"_target_": "lotto.models.lenet.LeNot"},
        {**LENET, "plan": [0]},
    ):
        with pytest.raises(BadRequest):
            skeleton(config, SHAPE, 5)
